#include "cli/bench_queue_load.hpp"

#include "base/error.hpp"
#include "base/time.hpp"
#include "runner/supervisor.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <sys/resource.h>

#include <algorithm>
#include <charconv>

namespace botburrow::cli {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

namespace {

constexpr auto kScanTime = 60s;
constexpr auto kCommandTime = 30s;

/// Names that only the scripts of src/queue write, and beginnings of names.
constexpr std::string_view kOurPrefixes[] = {
    "work:",        "coordinator:", "activation:", "agent:",   "agent_lock:", "runner:heartbeat:",
    "cache:agent:", "journal:",     "memory:",     "mcp:tools"};

/// All that enqueueing, claiming and completing make, but for the names that hold an id.
const std::vector<std::string> kMade = {
    "work:queue:high",     "work:queue:normal",  "work:queue:low", "work:queued", "work:active",
    "work:leases",         "work:processing",    "work:stats",     "work:fence",  "work:bell:inbox",
    "work:bell:discovery", "activation:results", "work:generation"};

/// Removes what one load made, if the generation is still its own. ARGV[1] is the generation.
const net::RedisScript& removal() {
  static const net::RedisScript script(R"lua(
if redis.call('GET', 'work:generation') ~= ARGV[1] then return 0 end
for _, agent in ipairs(redis.call('HKEYS', 'work:processing')) do
  local line = redis.call('HGET', 'work:processing', agent)
  local activation = string.match(line, '^%S+ %d+ %S+ %S+ (%S+) ')
  redis.call('DEL', 'agent_lock:' .. agent, 'agent:activation:' .. agent)
  if activation then redis.call('DEL', 'activation:' .. activation) end
end
for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end
return 1
)lua");
  return script;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// `name:value` of an INFO text; 0 where it is not there.
double info_number(std::string_view text, std::string_view name) {
  const auto line = fmt::format("\n{}:", name);
  const auto at = text.find(line);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + line.size());
  double value = 0;
  std::from_chars(text.data(), text.data() + std::min<std::size_t>(text.size(), 40), value);
  return value;
}

queue::WorkItem item_of(std::int64_t number) {
  const auto agent = fmt::format("bench-{:08}", number);
  return {.agent_id = AgentId(agent),
          .agent_name = agent,
          .priority = queue::Priority::high,
          .inbox_count = 3};
}

}  // namespace

const std::vector<QueueRow>& queue_rows() {
  using Kind = QueueRow::Kind;
  static const std::vector<QueueRow> rows = {
      {.name = "own_enqueue_single", .kind = Kind::enqueue, .share = 0.2},
      {.name = "own_enqueue_window", .kind = Kind::enqueue, .width = 100},
      {.name = "own_enqueue_bulk", .kind = Kind::enqueue, .batch = 1000},
      {.name = "own_drain_c1", .kind = Kind::drain, .share = 0.2},
      {.name = "own_drain_c10", .kind = Kind::drain, .width = 10},
      {.name = "own_drain_c100", .kind = Kind::drain, .width = 100},
      {.name = "own_drain_c1000", .kind = Kind::drain, .width = 1000},
      {.name = "own_pick_up", .kind = Kind::pick_up, .share = 0.02},
  };
  return rows;
}

QueueLoad::QueueLoad(boost::asio::any_io_executor executor, net::RedisAddress address, Log log,
                     Random& random)
    : executor_(executor),
      random_(random),
      mark_(fmt::format("bench-{}:1", random.uuid4())),
      server_(address.masked()),
      commands_(executor, address, {.name = "botburrow-bench"}, log, random),
      waits_(executor, address, {.name = "botburrow-bench-waits"}, log, random),
      queue_(commands_, waits_, system_clock(), log, &metrics_, {.call_timeout = 30s}) {}

Task<> QueueLoad::start() {
  commands_.start();
  waits_.start();
  co_await commands_.ready(Deadline::in(5s));
  co_await waits_.ready(Deadline::in(5s));
}

Task<> QueueLoad::stop() {
  co_await waits_.stop();
  co_await commands_.stop();
}

Task<std::optional<std::string>> QueueLoad::find_foreign_key() {
  const auto deadline = Deadline::in(kScanTime);
  std::string cursor = "0";
  do {
    const auto reply = co_await commands_.command({"SCAN", cursor, "COUNT", "5000"}, deadline);
    cursor = reply.array().at(0).str();
    for (const auto& key : reply.array().at(1).array()) {
      const auto is_ours = [&](std::string_view prefix) { return key.str().starts_with(prefix); };
      if (std::ranges::any_of(kOurPrefixes, is_ours)) co_return key.str();
    }
  } while (cursor != "0");
  co_return std::nullopt;
}

Task<> QueueLoad::flush() {
  co_await commands_.command({"FLUSHDB"}, Deadline::in(kScanTime));
}

Task<> QueueLoad::begin() {
  const auto reply = co_await commands_.command({"SET", "work:generation", mark_, "NX"},
                                                Deadline::in(kCommandTime));
  if (reply.is_nil())
    throw Error(errc::already_exists, server_ + ": somebody began to use it just now");
}

Task<> QueueLoad::remove_all() {
  const auto reply = co_await commands_.eval(removal(), kMade, {mark_}, Deadline::in(kScanTime));
  if (reply.integer() == 1) co_return;
  throw Error(errc::already_exists,
              server_ +
                  ": somebody else has begun to use it, so nothing was removed; agents named "
                  "bench-… are left over from this run");
}

Task<QueueLoad::ServerUse> QueueLoad::server_use() {
  const auto deadline = Deadline::in(kCommandTime);
  const auto cpu = co_await commands_.command({"INFO", "cpu"}, deadline);
  const auto memory = co_await commands_.command({"INFO", "memory"}, deadline);
  co_return ServerUse{.cpu_seconds = info_number(cpu.str(), "used_cpu_sys") +
                                     info_number(cpu.str(), "used_cpu_user"),
                      .used_memory = info_number(memory.str(), "used_memory")};
}

namespace {

/// Tells when the last of some tasks has ended, however it ended.
struct Countdown {
  Countdown(int& left, boost::asio::steady_timer& all_ended) : left(left), all_ended(all_ended) {}
  Countdown(const Countdown&) = delete;
  ~Countdown() {
    if (--left == 0) all_ended.cancel();
  }
  int& left;
  boost::asio::steady_timer& all_ended;
};

}  // namespace

// TaskGroup::join() waits whatever happens: a load that is out of time would run to its end.
Task<> QueueLoad::together(int count, std::function<Task<>(int)> body) {
  namespace asio = boost::asio;
  std::exception_ptr failure;
  int left = count;
  asio::steady_timer all_ended(executor_, asio::steady_timer::time_point::max());
  TaskGroup tasks(executor_, [&failure](const std::string&, std::exception_ptr why) {
    if (!failure) failure = std::move(why);
  });
  for (int i = 0; i < count; ++i) {
    tasks.spawn("load", [&body, &left, &all_ended, i]() -> Task<> {
      const Countdown ended(left, all_ended);
      co_await body(i);
    });
  }
  std::exception_ptr cancelled;
  try {
    boost::system::error_code ignored;
    co_await all_ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (!cancelled && left > 0)
    cancelled = std::make_exception_ptr(
        boost::system::system_error(make_error_code(asio::error::operation_aborted)));
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shielded(cancelled ? tasks.stop() : tasks.join());
  co_await asio::this_coro::throw_if_cancelled(true);
  if (cancelled) std::rethrow_exception(cancelled);
  if (failure) std::rethrow_exception(failure);
}

Task<> QueueLoad::produce(std::int64_t& next, std::int64_t items, int batch) {
  while (next < items) {
    std::vector<queue::WorkItem> some;
    some.reserve(static_cast<std::size_t>(batch));
    while (next < items && static_cast<int>(some.size()) < batch)
      some.push_back(item_of(next++));
    for (const auto result : co_await queue_.enqueue(std::move(some), {})) {
      if (result != queue::EnqueueResult::enqueued)
        throw Error(errc::internal, fmt::format("enqueue answered {}", queue::name_of(result)));
    }
  }
}

Task<> QueueLoad::fill(std::int64_t items, int producers, int batch) {
  std::int64_t next = 0;
  co_await together(producers, [&](int) { return produce(next, items, batch); });
}

queue::ClaimRequest QueueLoad::claim_request() {
  return {.runner_id = RunnerId("bench-runner"),
          .mode = queue::RunnerMode::hybrid,
          .activation_id = ActivationId(random_.uuid4())};
}

// As a runner whose activations do nothing.
Task<> QueueLoad::work(std::int64_t& done) {
  auto claim = co_await queue_.claim(claim_request());
  while (claim) {
    const auto ending = agent::Ending::success();
    queue::Completion completion{
        .lease = queue::ref_of(*claim),
        .outcome = ending.outcome,
        .result = runner::result_of(ending, {}, *claim, 0.001, system_clock().wall()),
        .next = claim_request()};
    auto answer = co_await queue_.complete(std::move(completion));
    if (!answer.ok) throw Error(errc::internal, "a completion was refused");
    ++done;
    claim = std::move(answer.next);
  }
}

Task<> QueueLoad::drain(std::int64_t items, int workers) {
  std::int64_t done = 0;
  co_await together(workers, [&](int) { return work(done); });
  if (done != items)
    throw Error(errc::internal, fmt::format("{} of {} items were completed", done, items));
}

Task<> QueueLoad::enqueue_one(std::int64_t number) {
  std::vector<queue::WorkItem> one{item_of(number)};
  co_await queue_.enqueue(std::move(one), {});
}

// The runner's idle loop: wait for the bell, then claim.
Task<> QueueLoad::pick_up(std::int64_t items, std::vector<double>& waits_us) {
  for (std::int64_t i = 0; i < items; ++i) {
    TaskGroup producer(executor_);
    auto begun = BootClock::now();
    producer.spawn("producer", [this, &begun, i]() -> Task<> {
      // Until the runner waits in the server.
      co_await sleep_for(2ms);
      begun = BootClock::now();
      co_await enqueue_one(i);
    });
    std::optional<queue::Claim> claim;
    while (!claim) {
      co_await queue_.wait_for_work(queue::RunnerMode::hybrid, 1000ms);
      claim = co_await queue_.claim(claim_request());
    }
    waits_us.push_back(Seconds(BootClock::now() - begun).count() * 1e6);
    co_await producer.join();
    co_await queue_.complete({.lease = queue::ref_of(*claim)});
    // An empty claim silences bells that rang for what is taken already, as a runner's does.
    co_await queue_.claim(claim_request());
  }
}

Task<RowFigures> QueueLoad::round(QueueRow row, std::int64_t items) {
  using Kind = QueueRow::Kind;
  const auto empty = co_await server_use();
  if (row.kind == Kind::drain) co_await fill(items, 1, 1000);
  const auto before = co_await server_use();
  const double cpu = cpu_seconds();
  const auto begun = BootClock::now();
  RowFigures figures{.items = items};
  if (row.kind == Kind::enqueue)
    co_await fill(items, row.width, row.batch);
  else if (row.kind == Kind::drain)
    co_await drain(items, row.width);
  else
    co_await pick_up(items, figures.waits_us);
  figures.seconds = Seconds(BootClock::now() - begun).count();
  figures.cpu_seconds = cpu_seconds() - cpu;
  const auto after = co_await server_use();
  figures.redis_cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  const double full = row.kind == Kind::enqueue ? after.used_memory : before.used_memory;
  if (row.kind != Kind::pick_up)
    figures.bytes_an_item = (full - empty.used_memory) / static_cast<double>(items);
  co_await remove_all();
  co_await begin();
  co_return figures;
}

}  // namespace botburrow::cli
