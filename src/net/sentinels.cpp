#include "net/sentinels.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/redis_faults.hpp"
#include "net/redis_stream.hpp"
#include "net/resp.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace botburrow::net {

using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 700ms;
constexpr std::size_t kAnswerMax = 64 * 1024;

Error unusable(std::string text) {
  return Error(errc::redis_unavailable, std::move(text), Retry::after_backoff);
}

// ["10.0.0.1", "6379"], or nil for a name it does not know.
RedisHost read_answer(const RedisReply& reply, const std::string& master) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value)) {
    if (fault_of(failure->text) == RedisFault::no_auth)
      throw unusable("it asks for a password of its own, which is not supported");
    if (failure->text.starts_with("ERR unknown command")) throw unusable("it is no sentinel");
    throw unusable(failure->text.substr(0, 200));
  }
  if (reply.is_nil()) throw unusable(fmt::format("it knows no master \"{}\"", master));
  const auto& parts = reply.array();
  if (parts.size() != 2) throw unusable("its answer makes no sense");
  RedisHost host{.host = parts[0].str()};
  const auto& port = parts[1].str();
  std::from_chars(port.data(), port.data() + port.size(), host.port);
  if (host.host.empty() || host.port < 1 || host.port > 65535)
    throw unusable("its answer makes no sense");
  return host;
}

}  // namespace

struct Sentinels::Line {
  explicit Line(std::unique_ptr<RedisStream> s) : stream(std::move(s)) {}
  ~Line() { stream->close(); }
  std::unique_ptr<RedisStream> stream;
  RespReader reader{kAnswerMax};
  std::array<char, 4096> buffer{};

  Task<RedisReply> ask(std::vector<std::string> words) {
    std::string bytes;
    append_command(bytes, words);
    co_await stream->write(bytes);
    for (;;) {
      if (auto* reply = reader.next()) co_return std::move(*reply);
      const auto got = co_await stream->read_some(buffer);
      reader.feed({buffer.data(), got});
    }
  }
};

Sentinels::Sentinels(RedisAddress address)
    : address_(std::move(address)), lines_(address_.sentinels.size()) {}
Sentinels::~Sentinels() = default;

void Sentinels::distrust() {
  front_ = (front_ + 1) % lines_.size();
}

Task<std::shared_ptr<Sentinels::Line>> Sentinels::line_to(std::size_t which) {
  const RedisAddress one{.transport = address_.transport,
                         .host = address_.sentinels[which].host,
                         .port = address_.sentinels[which].port};
  co_return std::make_shared<Line>(co_await connect_redis_stream(one));
}

Task<RedisHost> Sentinels::query(std::size_t which) {
  // Taken out while in use: one that fails, or is given up, does not come back.
  auto line = std::exchange(lines_[which], nullptr);
  const bool kept = line != nullptr;
  if (!line) line = co_await line_to(which);
  const std::vector<std::string> question = {"SENTINEL", "get-master-addr-by-name",
                                             address_.master};
  std::optional<RedisReply> reply;
  try {
    reply = co_await line->ask(question);
  } catch (const boost::system::system_error&) {
    // Most likely the sentinel was restarted since.
    if (!kept) throw;
  }
  if (!reply) {
    line = co_await line_to(which);
    reply = co_await line->ask(question);
  }
  lines_[which] = std::move(line);
  co_return read_answer(*reply, address_.master);
}

Task<Sentinels::Answer> Sentinels::ask(std::size_t which) {
  std::exception_ptr failure;
  try {
    co_return Answer{
        .host = co_await with_deadline("sentinel", Deadline::in(kPatience), query(which)),
        .reason = ""};
  } catch (...) {
    failure = std::current_exception();
    if (is_cancellation(failure)) throw;
  }
  co_return Answer{.host = std::nullopt,
                   .reason = explain_connect_failure(failure, kPatience).reason};
}

Task<RedisHost> Sentinels::master() {
  std::string reasons;
  for (std::size_t tried = 0; tried < lines_.size(); ++tried) {
    const auto which = (front_ + tried) % lines_.size();
    auto answer = co_await ask(which);
    if (answer.host) {
      front_ = which;
      co_return std::move(*answer.host);
    }
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ",
                           address_.sentinels[which].to_string(), answer.reason);
  }
  throw unusable(fmt::format("no sentinel names a master \"{}\" ({})", address_.master, reasons))
      .with_detail(std::string(kNoMaster));
}

Task<bool> Sentinels::disagree_with(RedisHost current) {
  const auto first = co_await ask(front_);
  if (first.host == current) co_return false;
  std::size_t same = 0;
  std::size_t other = first.host ? 1 : 0;
  for (std::size_t step = 1; step < lines_.size(); ++step) {
    const auto answer = co_await ask((front_ + step) % lines_.size());
    if (!answer.host) continue;
    ++(*answer.host == current ? same : other);
  }
  // The next question goes to one that answers.
  if (!first.host || same > other) distrust();
  co_return other > same;
}

}  // namespace botburrow::net
