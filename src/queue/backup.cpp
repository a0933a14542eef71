#include "queue/backup.hpp"

#include "base/error.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

#include <utility>

namespace botburrow::queue {

Task<RedisDump> dump_keys(net::Redis& redis, Deadline deadline) {
  const auto reply = co_await run_script(redis, scripts().backup, {}, {}, deadline);
  const auto& fields = reply.array();
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

Task<RestoreAnswer> restore_keys(net::Redis& redis, RedisDump dump, std::string id, bool force,
                                 Deadline deadline) {
  if (dump.keys.size() > kDumpedKeysMax) {
    throw Error(errc::limit, fmt::format("{} keys are more than the {} that are restored in one "
                                         "step; use the server's own dump.rdb for so many",
                                         dump.keys.size(), kDumpedKeysMax));
  }
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
