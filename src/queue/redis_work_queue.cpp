#include "queue/redis_work_queue.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"
#include "queue/breaker.hpp"
#include "queue/completions.hpp"
#include "queue/item_text.hpp"
#include "queue/queue_notes.hpp"
#include "queue/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace botburrow::queue {

using net::Redis;
using net::RedisReply;
using std::chrono::seconds;

namespace {

constexpr std::size_t kEnqueueItemsMax = 1000;
constexpr std::size_t kEnqueueBytesMax = 8u << 20;
constexpr std::size_t kReasonBytesMax = 200;
constexpr seconds kHubAwayDelay{5};

bool is_plain_id(std::string_view id) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, is_plain);
}

void check_ids(const ClaimRequest& request) {
  if (!is_plain_id(request.runner_id.str())) {
    throw Error(errc::invalid_argument,
                fmt::format("runner id \"{}\": use 1 to 128 of A-Z a-z 0-9 . _ -",
                            utf8_prefix(request.runner_id.str(), 200)));
  }
  if (!is_plain_id(request.activation_id.str()) || request.activation_id.str() == "results") {
    throw Error(errc::invalid_argument, fmt::format("activation id \"{}\": use a UUID",
                                                    utf8_prefix(request.activation_id.str(), 200)));
  }
}

void check(const WorkItem& item) {
  if (!valid_agent_id(item.agent_id.str()) || !valid_agent_id(item.agent_name)) {
    throw Error(
        errc::invalid_argument,
        fmt::format("agent \"{}\" (name \"{}\"): id and name must be 1 to {} bytes of UTF-8 "
                    "without control characters",
                    valid_utf8(utf8_prefix(item.agent_id.str(), 200)),
                    valid_utf8(utf8_prefix(item.agent_name, 200)), kAgentIdBytesMax));
  }
}

std::string outbox_text(const OutboxEntry& entry) {
  return ObjectText()
      .add("agent_id", entry.agent_id.str())
      .add("path", entry.path)
      .add_raw("body", entry.body.empty() ? "{}" : entry.body)
      .done();
}

void append_outbox(Redis::Args& args, const std::optional<OutboxEntry>& entry) {
  args.push_back(entry ? entry->key : "");
  args.push_back(entry ? outbox_text(*entry) : "");
}

EnqueueResult parse_enqueue_result(std::string_view text) {
  using enum EnqueueResult;
  for (const auto result :
       {enqueued, upgraded, dup_active, dup_queued, backoff, paused, stale_leader}) {
    if (name_of(result) == text) return result;
  }
  throw Error(errc::protocol, fmt::format("enqueue script answered \"{}\"", text));
}

}  // namespace

struct RedisWorkQueue::Impl {
  Redis& commands;
  Redis& waits;
  Clock& clock;
  Log log;
  QueueNotes notes;
  Options options;
  std::optional<Completions> completions;

  Deadline deadline() const { return Deadline::in(options.call_timeout); }
  /// For requests that differ in activation id and retry only. Answers where the retry flags are.
  std::vector<std::size_t> append_claims(Redis::Args& args,
                                         std::span<const ClaimRequest* const> requests) const {
    std::vector<std::size_t> retry_flags;
    if (requests.empty()) return retry_flags;
    const ClaimRequest& any = *requests.front();
    const WallTime started = clock.wall();
    args.insert(
        args.end(),
        {any.runner_id.str(), std::string(name_of(any.mode)), fmt::to_string(any.lease.count()),
         fmt::to_string(options.max_wait.count()), to_rfc3339(started),
         to_rfc3339(started + any.activation_timeout), fmt::to_string(requests.size())});
    for (const ClaimRequest* request : requests) {
      args.push_back(request->activation_id.str());
      retry_flags.push_back(args.size());
      args.emplace_back(request->retry ? "1" : "0");
    }
    for (const AgentId& agent : any.exclude)
      args.push_back(agent.str());
    return retry_flags;
  }

  static void append_completion(Redis::Args& args, const Completion& completion) {
    args.insert(
        args.end(),
        {completion.lease.agent_id.str(), completion.lease.activation_id.str(),
         fmt::to_string(completion.lease.fence.counter), std::string(name_of(completion.outcome)),
         fmt::to_string(std::clamp(completion.hold_off, seconds(0), kBackoffMax).count()),
         valid_utf8(utf8_prefix(completion.reason, kReasonBytesMax)), encode(completion.result)});
    append_outbox(args, completion.consumption);
    args.push_back(completion.journal_end);
  }

  Task<std::vector<CompleteAnswer>> complete(Completions::Together together) {
    Redis::Args args{fmt::to_string(together.size())};
    std::vector<const ClaimRequest*> requests;
    for (const Completion* completion : together) {
      append_completion(args, *completion);
      if (completion->next) requests.push_back(&*completion->next);
    }
    auto retry_flags = append_claims(args, requests);
    const RedisReply reply = co_await run_script(commands, scripts().complete, {}, std::move(args),
                                                 deadline(), std::move(retry_flags));
    std::vector<CompleteAnswer> answers;
    for (std::size_t i = 0; i < together.size(); ++i)
      answers.push_back(notes.completed(reply.array().at(0).array().at(i).array(), *together[i]));
    auto claims = notes.claims(reply.array().at(1), requests);
    for (std::size_t i = 0, k = 0; i < together.size(); ++i) {
      if (together[i]->next) answers[i].next = std::move(claims[k++]);
    }
    co_return answers;
  }

  Task<> enqueue_part(std::span<const WorkItem> items, EnqueueOptions options,
                      std::vector<EnqueueResult>& results) {
    Redis::Args args{options.epoch ? fmt::to_string(*options.epoch) : "-",
                     options.force ? "1" : "0", options.mark ? "1" : "0"};
    args.reserve(args.size() + items.size() * 6);
    for (const WorkItem& item : items) {
      ItemText text = text_of(item);
      args.insert(args.end(), {item.agent_id.str(), std::string(name_of(item.priority)),
                               std::string(name_of(item.task_type)), std::move(text.head),
                               std::move(text.created), std::move(text.tail)});
    }
    const RedisReply reply =
        co_await run_script(commands, scripts().enqueue, {}, std::move(args), deadline());
    const auto& answers = reply.array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      results.push_back(parse_enqueue_result(answers.at(i).str()));
      notes.enqueued(items[i], results.back());
    }
  }
};

RedisWorkQueue::RedisWorkQueue(Redis& commands, Redis& waits, Clock& clock, Log log,
                               Metrics* metrics, Options options)
    : impl_(
          std::make_unique<Impl>(Impl{.commands = commands,
                                      .waits = waits,
                                      .clock = clock,
                                      .log = log,
                                      .notes = QueueNotes(log, metrics, options.metrics_per_agent),
                                      .options = options,
                                      .completions = {}})) {
  impl_->completions.emplace([impl = impl_.get()](Completions::Together together) {
    return impl->complete(std::move(together));
  });
}

RedisWorkQueue::~RedisWorkQueue() = default;

Task<std::vector<EnqueueResult>> RedisWorkQueue::enqueue(std::vector<WorkItem> items,
                                                         EnqueueOptions options) {
  for (const WorkItem& item : items)
    check(item);
  std::vector<EnqueueResult> results;
  results.reserve(items.size());
  std::size_t first = 0;
  while (first < items.size()) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (first + count < items.size() && count < kEnqueueItemsMax && bytes < kEnqueueBytesMax) {
      const std::size_t size = encode(items[first + count]).size();
      if (size > kItemBytesMax - 64) {
        throw Error(errc::invalid_argument,
                    fmt::format("work item of agent \"{}\" is {} bytes; at most 1 MiB fits",
                                items[first + count].agent_id.str(), size));
      }
      bytes += size;
      ++count;
    }
    co_await impl_->enqueue_part(std::span(items).subspan(first, count), options, results);
    first += count;
  }
  co_return results;
}

Task<std::optional<Claim>> RedisWorkQueue::claim(ClaimRequest request) {
  check_ids(request);
  const ClaimRequest* const requests[] = {&request};
  Redis::Args args;
  auto retry_flags = impl_->append_claims(args, requests);
  const RedisReply reply =
      co_await run_script(impl_->commands, scripts().claim, {}, std::move(args), impl_->deadline(),
                          std::move(retry_flags));
  co_return std::move(impl_->notes.claims(reply, requests).at(0));
}

Task<bool> RedisWorkQueue::wait_for_work(RunnerMode mode, std::chrono::milliseconds up_to) {
  const Deadline over = Deadline::in(up_to);
  // 0 would wait without end.
  const double wait_seconds = std::max(0.01, std::chrono::duration<double>(up_to).count());
  Redis::Args args{"BLPOP"};
  if (accepts(mode, TaskType::inbox)) args.emplace_back("work:bell:inbox");
  if (accepts(mode, TaskType::discovery)) args.emplace_back("work:bell:discovery");
  args.push_back(fmt::format("{:.3f}", wait_seconds));
  try {
    const RedisReply reply =
        co_await impl_->waits.command(std::move(args), Deadline::in(up_to + seconds(2)));
    co_return !reply.is_nil();
  } catch (const Error& error) {
    impl_->log.debug("claim_wait_failed", {{"error", error.message()}});
  }
  if (!over.passed()) co_await sleep_for(over.left());
  co_return false;
}

Task<std::vector<RenewOutcome>> RedisWorkQueue::renew(std::vector<LeaseRef> leases) {
  if (leases.empty()) co_return std::vector<RenewOutcome>{};
  Redis::Args args;
  args.reserve(leases.size() * 3);
  for (const LeaseRef& lease : leases) {
    args.push_back(lease.agent_id.str());
    args.push_back(lease.activation_id.str());
    args.push_back(fmt::to_string(lease.fence.counter));
  }
  const RedisReply reply =
      co_await run_script(impl_->commands, scripts().renew, {}, std::move(args), impl_->deadline());
  std::vector<RenewOutcome> outcomes;
  outcomes.reserve(leases.size());
  for (std::size_t i = 0; i < leases.size(); ++i) {
    const std::string& answer = reply.array().at(i).str();
    outcomes.push_back(answer == "OK"          ? RenewOutcome::renewed
                       : answer == "CANCELLED" ? RenewOutcome::cancelled
                                               : RenewOutcome::lost);
  }
  co_return outcomes;
}

Task<CompleteAnswer> RedisWorkQueue::complete(Completion completion) {
  if (completion.next) check_ids(*completion.next);
  ActivationResult& result = completion.result;
  if (result.agent_id.empty()) result.agent_id = completion.lease.agent_id;
  if (result.activation_id.empty()) result.activation_id = completion.lease.activation_id;
  if (result.timestamp.empty()) result.timestamp = to_rfc3339(impl_->clock.wall());
  if (result.status.empty()) result.status = status_of(completion.outcome);
  result.success = completion.outcome == Outcome::success;
  return impl_->completions->complete(std::move(completion));
}

Task<bool> RedisWorkQueue::hand_back(HandBack hand_back) {
  seconds defer = std::clamp(hand_back.defer, seconds(0), kBackoffMax);
  if (defer == seconds(0) && hand_back.reason == HandBackReason::hub_away) defer = kHubAwayDelay;
  Redis::Args args{hand_back.lease.agent_id.str(), hand_back.lease.activation_id.str(),
                   fmt::to_string(hand_back.lease.fence.counter),
                   std::string(name_of(hand_back.reason)), fmt::to_string(defer.count())};
  append_outbox(args, hand_back.consumption);
  args.push_back(hand_back.journal_end);
  const RedisReply reply = co_await run_script(impl_->commands, scripts().hand_back, {},
                                               std::move(args), impl_->deadline());
  if (reply.str() != "OK") co_return false;
  impl_->notes.handed_back(hand_back, defer);
  co_return true;
}

Task<std::vector<LeaseSeen>> RedisWorkQueue::leases() {
  const RedisReply reply =
      co_await impl_->commands.command({"HGETALL", "work:leases"}, impl_->deadline());
  const auto& fields = reply.array();
  std::vector<LeaseSeen> seen;
  seen.reserve(fields.size() / 2);
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    seen.push_back({.agent_id = AgentId(fields[i].str()), .value = fields[i + 1].str()});
  }
  co_return seen;
}

Task<ReapResult> RedisWorkQueue::reap(ReapRequest request) {
  const RedisReply reply = co_await run_script(
      impl_->commands, scripts().reap, {},
      {fmt::to_string(request.epoch), request.lease.agent_id.str(), request.lease.value,
       fmt::to_string(std::max(1, request.crash_attempts_max))},
      impl_->deadline());
  const auto& answer = reply.array();
  const std::string& code = answer.at(0).str();
  using enum ReapResult;
  for (const auto result : {requeued, deferred, dead, cancelled}) {
    if (code != name_of(result)) continue;
    impl_->notes.reaped(request, answer, result);
    co_return result;
  }
  co_return moved;
}

Task<SweepCounts> RedisWorkQueue::sweep(std::int64_t epoch, bool full) {
  const RedisReply reply =
      co_await run_script(impl_->commands, scripts().sweep, {},
                          {fmt::to_string(epoch), full ? "1" : "0"}, impl_->deadline());
  const auto& parts = reply.array();
  impl_->notes.unreadable(parts.at(6));
  impl_->notes.dropped(parts.at(7));
  co_return SweepCounts{.stale_leader = parts.at(0).str() != "OK",
                        .due = number_of(parts.at(1)),
                        .backoffs_ended = number_of(parts.at(2)),
                        .failures_decayed = number_of(parts.at(3)),
                        .adopted = number_of(parts.at(4)),
                        .vanished = number_of(parts.at(5))};
}

Task<GenerationSeen> RedisWorkQueue::generation() {
  const auto replies = co_await impl_->commands.pipeline(
      {{"GET", "work:generation"}, {"GET", "work:fence"}}, impl_->deadline());
  GenerationSeen seen{.generation = std::nullopt,
                      .raw = text_of_reply(replies.at(0)),
                      .fence = number_of(replies.at(1))};
  const std::size_t colon = seen.raw.rfind(':');
  const std::string digits = colon == std::string::npos ? "" : seen.raw.substr(colon + 1);
  const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  if (!digits.empty() && digits.size() < 19 && std::ranges::all_of(digits, is_digit)) {
    seen.generation =
        Generation{.dataset = seen.raw.substr(0, colon), .number = std::stoll(digits)};
  }
  co_return seen;
}

Task<bool> RedisWorkQueue::set_generation(std::int64_t epoch, std::string old_raw,
                                          Generation next) {
  if (!is_plain_id(next.dataset) || next.number < 0) {
    throw Error(errc::invalid_argument,
                fmt::format("data set \"{}\": use 1 to 128 of A-Z a-z 0-9 . _ -",
                            valid_utf8(utf8_prefix(next.dataset, 200))));
  }
  const RedisReply reply = co_await run_script(
      impl_->commands, scripts().generation_set,
      {"coordinator:epoch", "work:generation", "work:fence"},
      {fmt::to_string(epoch), std::move(old_raw), next.to_string()}, impl_->deadline());
  co_return reply.str() == "OK";
}

Task<std::vector<OutboxEntry>> RedisWorkQueue::outbox(std::size_t count) {
  const RedisReply reply = co_await impl_->commands.command(
      {"HRANDFIELD", "work:outbox", fmt::to_string(count), "WITHVALUES"}, impl_->deadline());
  const auto& fields = reply.array();
  std::vector<OutboxEntry> entries;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto parsed = try_parse_json(fields[i + 1].str());
    const json::value* body = parsed ? find_field(*parsed, "body") : nullptr;
    OutboxEntry entry{
        .key = fields[i].str(),
        .agent_id = AgentId(parsed ? string_field(*parsed, "agent_id").value_or("") : ""),
        .path = parsed ? string_field(*parsed, "path").value_or("") : "",
        .body = body != nullptr ? to_json(*body) : ""};
    if (entry.path.empty() || entry.body.empty()) {
      impl_->log.error("outbox_entry_invalid", {{"key", valid_utf8(entry.key)},
                                                {"msg", "left in work:outbox; HDEL it by hand"}});
      continue;
    }
    entries.push_back(std::move(entry));
  }
  co_return entries;
}

Task<> RedisWorkQueue::put_outbox(OutboxEntry entry) {
  co_await impl_->commands.command({"HSET", "work:outbox", entry.key, outbox_text(entry)},
                                   impl_->deadline());
}

Task<> RedisWorkQueue::remove_outbox(std::string key) {
  co_await impl_->commands.command({"HDEL", "work:outbox", std::move(key)}, impl_->deadline());
}

}  // namespace botburrow::queue
