#include "queue/scripts.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <charconv>

namespace botburrow::queue {

/// Generated from scripts/*.lua at build time.
std::string_view embedded(std::string_view name);

namespace {

std::string_view file(std::string_view name) {
  const std::string_view text = embedded(fmt::format("scripts/{}.lua", name));
  BB_ASSERT(!text.empty());
  return text;
}

/// The names after `-- Uses` in the head of a script.
std::string with_libraries(std::string_view name) {
  const std::string_view body = file(name);
  constexpr std::string_view kMark = "-- Uses ";
  std::string text;
  if (const std::size_t mark = body.find(kMark); mark != std::string_view::npos) {
    std::string_view names = body.substr(mark + kMark.size());
    names = names.substr(0, names.find('\n'));
    while (!names.empty()) {
      const std::size_t start = names.find_first_not_of(' ');
      if (start == std::string_view::npos) break;
      names.remove_prefix(start);
      const std::string_view library = names.substr(0, names.find(' '));
      text += file(fmt::format("lib_{}", library));
      names.remove_prefix(library.size());
    }
  }
  return text += body;
}

}  // namespace

QueueScript::QueueScript(std::string_view name, Memory memory) : plain_(with_libraries(name)) {
  if (memory == Memory::any) tolerant_.emplace("#!lua flags=allow-oom\n" + plain_.text());
}

const net::RedisScript& QueueScript::on(const net::Redis& redis) const {
  return on_version(redis.server_version().major);
}

const net::RedisScript& QueueScript::on_version(int major) const {
  return tolerant_ && major >= 7 ? *tolerant_ : plain_;
}

const QueueScripts& scripts() {
  static const QueueScripts all;
  return all;
}

Task<net::RedisReply> run_script(net::Redis& redis, const QueueScript& script,
                                 net::Redis::Args keys, net::Redis::Args args, Deadline deadline,
                                 std::vector<std::size_t> retry_flags) {
  while (true) {
    // Which text to send depends on the server, known once connected.
    if (!redis.connected()) co_await redis.ready(deadline);
    try {
      co_return co_await redis.eval(script.on(redis), keys, args, deadline);
    } catch (const Error& error) {
      const bool unknown =
          error.code() == errc::redis_unavailable && error.detail() == "outcome_unknown";
      if (!unknown || deadline.passed()) throw;
    }
    for (const std::size_t flag : retry_flags)
      args.at(flag) = "1";
  }
}

std::int64_t number_of(const net::RedisReply& reply) {
  if (const auto* number = std::get_if<std::int64_t>(&reply.value)) return *number;
  const std::string text = text_of_reply(reply);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string text_of_reply(const net::RedisReply& reply) {
  if (reply.is_nil()) return {};
  if (const auto* number = std::get_if<std::int64_t>(&reply.value)) return fmt::to_string(*number);
  return reply.str();
}

double decimal_of(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Census census_of(const net::RedisReply& reply) {
  const auto& fields = reply.array();
  return {.enqueued = number_of(fields.at(0)),
          .waiting = number_of(fields.at(1)),
          .leased = number_of(fields.at(2)),
          .dead = number_of(fields.at(3)),
          .done = number_of(fields.at(4))};
}

}  // namespace botburrow::queue
