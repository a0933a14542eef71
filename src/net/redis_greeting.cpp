#include "net/redis_greeting.hpp"

#include "base/error.hpp"
#include "net/redis_faults.hpp"
#include "net/resp.hpp"

#include <fmt/format.h>

#include <charconv>

namespace botburrow::net {
namespace {

/// A server may forbid what we can do without.
bool matters(std::string_view command, std::string_view failure) {
  if (command == "AUTH" || command == "SELECT") return true;
  const auto fault = fault_of(failure);
  return fault != RedisFault::other && fault != RedisFault::no_permission;
}

Error of_no_use(std::string text, std::string_view word) {
  return Error(errc::redis_unavailable, std::move(text), Retry::after_backoff)
      .with_detail(std::string(word));
}

// What a server says of itself must not steer a terminal or fill a log.
std::string shown(const RedisReply& reply) {
  const auto* text = std::get_if<std::string>(&reply.value);
  if (!text) {
    const auto* number = std::get_if<std::int64_t>(&reply.value);
    return number ? std::to_string(*number) : "?";
  }
  std::string out(text->substr(0, 100));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return out;
}

void require_master(const RedisReply& role) {
  const auto* parts = std::get_if<RedisReply::Array>(&role.value);
  if (!parts || parts->empty()) return;
  const auto kind = shown(parts->front());
  if (kind == "slave") {
    const bool known = parts->size() >= 3;
    throw of_no_use(known ? fmt::format("it is a replica of {}:{}, which takes no changes",
                                        shown((*parts)[1]), shown((*parts)[2]))
                          : "it is a replica, which takes no changes",
                    "READONLY");
  }
  if (kind == "sentinel") {
    throw of_no_use(
        "a sentinel listens there; write redis+sentinel://host:26379/NAME, with the name of the "
        "master it watches",
        "SENTINEL");
  }
}

void refuse_cluster(const std::string& info) {
  if (info.find("redis_mode:cluster") != std::string::npos)
    throw of_no_use("the server is part of a Redis Cluster", "CLUSTERDOWN");
}

}  // namespace

RedisGreeting::RedisGreeting(const RedisAddress& address, std::string client_name) {
  if (!address.user.empty()) {
    commands_.push_back({"AUTH", address.user, address.password.reveal()});
  } else if (!address.password.empty()) {
    commands_.push_back({"AUTH", address.password.reveal()});
  }
  if (address.db != 0) commands_.push_back({"SELECT", std::to_string(address.db)});
  commands_.push_back({"CLIENT", "SETNAME", std::move(client_name)});
  commands_.push_back({"INFO", "server"});
  commands_.push_back({"ROLE"});
  // Last, since it is the one that a server that is still loading refuses.
  commands_.push_back({"PING"});
}

Redis::Version RedisGreeting::judge(const std::vector<RedisReply>& answers) const {
  Redis::Version version;
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    const std::string_view command = commands_[i].front();
    if (const auto* failure = std::get_if<RedisReply::Failure>(&answers[i].value)) {
      if (!matters(command, failure->text)) continue;
      throw of_no_use(fmt::format("{}: {}", command, failure->text), error_word(failure->text));
    }
    if (command == "INFO") {
      version = parse_redis_version(answers[i].str());
      refuse_cluster(answers[i].str());
    }
    if (command == "ROLE") require_master(answers[i]);
  }
  return version;
}

Redis::Version parse_redis_version(std::string_view info) {
  constexpr std::string_view kName = "redis_version:";
  const auto at = info.find(kName);
  if (at == std::string_view::npos) return {};
  const char* end = info.data() + info.size();
  Redis::Version version;
  const auto major = std::from_chars(info.data() + at + kName.size(), end, version.major);
  if (major.ec != std::errc()) return {};
  if (major.ptr != end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, version.minor);
  return version;
}

}  // namespace botburrow::net
