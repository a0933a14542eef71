#include "queue/backup.hpp"

#include "base/error.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

namespace botburrow::queue {
namespace {

[[noreturn]] void too_many(std::int64_t keys, std::size_t keys_max, std::string_view verb) {
  throw Error(errc::limit,
              fmt::format("{} keys are more than the {} that are {} in one step; use the server's "
                          "own dump.rdb for so many",
                          keys, keys_max, verb));
}

}  // namespace

Task<RedisDump> dump_keys(net::Redis& redis, Deadline deadline, std::size_t keys_max) {
  const auto reply =
      co_await run_script(redis, scripts().backup, {}, {std::to_string(keys_max)}, deadline);
  const auto& fields = reply.array();
  if (text_of_reply(fields.at(0)) == "TOO_MANY")
    too_many(number_of(fields.at(1)), keys_max, "backed up");
  RedisDump dump{.epoch = number_of(fields.at(0)),
                 .generation = text_of_reply(fields.at(1)),
                 .census = census_of(fields.at(2)),
                 .keys = {}};
  for (std::size_t at = 3; at + 2 < fields.size(); at += 3) {
    dump.keys.push_back({.key = fields[at].str(),
                         .ttl_ms = number_of(fields[at + 1]),
                         .payload = fields[at + 2].str()});
  }
  co_return dump;
}

Task<std::optional<std::int64_t>> find_generation_number(net::Redis& redis, Deadline deadline) {
  const auto reply = co_await redis.command({"GET", "work:generation"}, deadline);
  const auto raw = text_of_reply(reply);
  const auto colon = raw.rfind(':');
  if (colon == std::string::npos) co_return std::nullopt;
  const char* const end = raw.data() + raw.size();
  std::int64_t number = 0;
  const auto parsed = std::from_chars(raw.data() + colon + 1, end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) co_return std::nullopt;
  co_return number;
}

Task<RestoreAnswer> restore_keys(net::Redis& redis, RedisDump dump, std::string id, bool force,
                                 Deadline deadline) {
  if (dump.keys.size() > kDumpedKeysMax)
    too_many(static_cast<std::int64_t>(dump.keys.size()), kDumpedKeysMax, "restored");
  net::Redis::Args args = {std::move(id), force ? "1" : "0", std::to_string(dump.epoch)};
  for (auto& key : dump.keys) {
    args.push_back(std::move(key.key));
    args.push_back(std::to_string(key.ttl_ms));
    args.push_back(std::move(key.payload));
  }
  const auto reply = co_await run_script(redis, scripts().restore, {}, std::move(args), deadline);
  const auto& fields = reply.array();
  RestoreAnswer answer;
  if (fields.size() > 1) answer.detail = text_of_reply(fields[1]);
  const auto word = text_of_reply(fields.at(0));
  if (word == "NOT_EMPTY") answer.result = RestoreResult::not_empty;
  if (word == "BAD") answer.result = RestoreResult::refused;
  co_return answer;
}

}  // namespace botburrow::queue
