#include "queue/redis_journal.hpp"

#include "base/error.hpp"
#include "net/redis.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

#include <map>

namespace botburrow::queue {

using net::Redis;
using net::RedisReply;
using namespace std::chrono_literals;

namespace {

constexpr auto kCallTimeout = 5s;

std::string key_of(const WorkId& work) {
  return "journal:" + work.str();
}

const RedisReply& checked(const RedisReply& reply) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value))
    throw Error(errc::redis_error, "redis: reading a journal: " + failure->text.substr(0, 200));
  return reply;
}

std::map<std::int64_t, std::string> payloads_of(const RedisReply::Array& pairs) {
  std::map<std::int64_t, std::string> payloads;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
    payloads.emplace(number_of(pairs[i]), text_of_reply(pairs[i + 1]));
  return payloads;
}

}  // namespace

Task<JournalRead> RedisJournal::load(WorkId work) {
  const auto deadline = Deadline::in(kCallTimeout);
  co_await redis_.ready(deadline);
  std::vector<Redis::Args> commands{{"LRANGE", key_of(work), "0", "-1"},
                                    {"HGETALL", key_of(work) + ":blobs"}};
  const auto replies = co_await redis_.pipeline(std::move(commands), deadline);
  const auto& lines = checked(replies.at(0)).array();
  const auto payloads = payloads_of(checked(replies.at(1)).array());
  JournalRead read;
  read.size.lines = static_cast<std::int64_t>(lines.size());
  for (const auto& [n, payload] : payloads)
    read.size.payload_bytes += payload.size();
  for (const auto& text : lines) {
    auto line = decode_journal_line(text_of_reply(text), payloads);
    // The end of a claim repeats lines of a call whose answer was lost.
    const bool repeated = line && !read.lines.empty() && line->n <= read.lines.back().n;
    if (line && !repeated) read.lines.push_back(std::move(*line));
  }
  co_return read;
}

Task<> RedisJournal::append(LeaseRef lease, std::vector<JournalEntry> entries) {
  if (entries.empty()) co_return;
  Redis::Args args{lease.agent_id.str(),
                   lease.activation_id.str(),
                   fmt::to_string(lease.fence.counter),
                   fmt::to_string(entries.front().n),
                   fmt::to_string(kJournalLines),
                   fmt::to_string(entries.size())};
  for (const auto& entry : entries)
    args.push_back(entry.line);
  for (const auto& entry : entries) {
    if (entry.payload.empty()) continue;
    args.push_back(fmt::to_string(entry.n));
    args.push_back(entry.payload);
  }
  args.push_back(fmt::to_string(kept_.count()));
  const auto reply = co_await run_script(redis_, scripts().journal, {}, std::move(args),
                                         Deadline::in(kCallTimeout));
  const auto& answer = reply.str();
  if (answer == "OK") co_return;
  if (answer == "FULL")
    throw Error(errc::journal_full, fmt::format("journal: more than {} lines", kJournalLines));
  throw Error(errc::stale_fence, "the lease of this activation is somebody else's");
}

}  // namespace botburrow::queue
