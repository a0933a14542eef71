#include "net/redis_greeting.hpp"

#include "base/error.hpp"
#include "net/resp.hpp"

#include <fmt/format.h>

#include <charconv>

namespace botburrow::net {
namespace {

std::string_view fix_for(std::string_view word) {
  if (word == "NOAUTH") return "; put user and password into the Redis URL";
  if (word == "WRONGPASS") return "; check user and password in the Redis URL";
  return "";
}

/// A server may forbid what we can do without.
bool matters(std::string_view command, std::string_view failure) {
  if (command == "AUTH" || command == "SELECT") return true;
  return fault_of(failure) != RedisFault::other && error_word(failure) != "NOPERM";
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
  // Last, since it is the one that a server that is still loading refuses.
  commands_.push_back({"PING"});
}

Redis::Version RedisGreeting::judge(const std::vector<RedisReply>& answers) const {
  Redis::Version version;
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    const std::string_view command = commands_[i].front();
    if (const auto* failure = std::get_if<RedisReply::Failure>(&answers[i].value)) {
      if (!matters(command, failure->text)) continue;
      const auto word = error_word(failure->text);
      throw Error(errc::redis_unavailable,
                  fmt::format("{}: {}{}", command, failure->text, fix_for(word)),
                  Retry::after_backoff)
          .with_detail(std::string(word));
    }
    if (command == "INFO") version = parse_redis_version(answers[i].str());
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
