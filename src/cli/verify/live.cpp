#include "cli/verify/live.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "queue/election.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

/// What the items work with.
struct Live {
  const Ground& ground;
  LiveSystem system;
  Outcomes& outcomes;
  Progress progress;
  Metrics metrics;
  QueueParts queue;
  net::HttpClient http;

  Live(const Ground& g, LiveSystem s, Outcomes& o, Progress p)
      : ground(g),
        system(std::move(s)),
        outcomes(o),
        progress(std::move(p)),
        queue(g, system.redis_url, "botburrow-verify", metrics),
        http(g.executor, {.user_agent = "botburrow-verify"}) {}

  Task<> show(std::string id, std::function<Task<Outcome>()> item) {
    Outcome outcome;
    try {
      outcome = co_await item();
    } catch (const Error& error) {
      outcome = failed(error.message());
    }
    if (progress) progress(id, outcome);
    outcomes[id] = std::move(outcome);
  }
  Task<net::HttpResponse> get(std::string url, bool with_key = false) {
    net::HttpRequest request{.url = std::move(url), .total_timeout = 5000ms};
    if (with_key && !system.hub_key.empty())
      request.headers = {{"Authorization", "Bearer " + system.hub_key.reveal()}};
    co_return co_await http.send(std::move(request));
  }
};

double metric_of(const std::string& text, const std::string& name) {
  double sum = 0;
  for (std::size_t at = text.find("\n" + name); at != std::string::npos;
       at = text.find("\n" + name, at + 1)) {
    const char after = text[at + 1 + name.size()];
    if (after != ' ' && after != '{') continue;
    const auto end = text.find('\n', at + 1);
    const auto line = text.substr(at + 1, end - at - 1);
    sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return sum;
}

Task<> show_leader(Live& live) {
  co_await live.show("A6", [&]() -> Task<Outcome> {
    queue::RedisElection election(live.queue.commands, "verify", "verify");
    const auto first = co_await election.observe();
    if (first.free()) co_return failed("nobody leads");
    for (int i = 0; i < 30; ++i) {
      co_await sleep_for(200ms);
      const auto seen = co_await election.observe();
      if (seen.epoch == first.epoch && seen.seq > first.seq)
        co_return passed(
            fmt::format("{} leads, epoch {}, and renews", seen.instance_id, seen.epoch));
    }
    co_return failed(
        fmt::format("{} holds epoch {} and does not renew it", first.instance_id, first.epoch));
  });
}

/// What services say of themselves.
Task<> show_metrics(Live& live) {
  co_await live.show("A9", [&]() -> Task<Outcome> {
    if (live.system.coordinators.empty())
      co_return skipped("no coordinator's address is known; give --coordinator URL for each");
    double sum = 0;
    for (const auto& url : live.system.coordinators)
      sum +=
          metric_of((co_await live.get(url + "/metrics")).body, "botburrow_coordinator_is_leader");
    const auto evidence =
        fmt::format("sum over {} coordinators: {}", live.system.coordinators.size(), sum);
    co_return sum == 1 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_hub(Live& live) {
  co_await live.show("A25", [&]() -> Task<Outcome> {
    std::string seen;
    bool fine = true;
    for (const auto* path : {"/health", "/api/v1/health", "/"}) {
      const auto status = (co_await live.get(live.system.hub_url + path)).status;
      seen += fmt::format("{} {} ", path, status);
      fine = fine && status == 200;
    }
    co_return fine ? passed(seen) : failed(seen);
  });
  co_await live.show("A26", [&]() -> Task<Outcome> {
    const auto answer =
        co_await live.get(live.system.hub_url + "/api/v1/notifications?unread=true", true);
    const auto document = try_parse_json(answer.body);
    const bool list = answer.ok() && document && document->is_object();
    const auto evidence = fmt::format("{}: {}", answer.status, answer.body.substr(0, 120));
    co_return list ? passed(evidence) : failed(evidence);
  });
}

/// An agent that only the queue knows, paused: nobody claims it.
Task<> show_queue_with(Live& live, AgentId agent) {
  const queue::WorkItem item{.agent_id = agent,
                             .agent_name = agent.str(),
                             .task_type = queue::TaskType::inbox,
                             .priority = queue::Priority::low};
  const auto enqueue = [&](queue::Priority priority, bool force) -> Task<queue::EnqueueResult> {
    auto one = item;
    one.priority = priority;
    std::vector<queue::WorkItem> items{one};
    const auto results = co_await live.queue.queue.enqueue(std::move(items), {.force = force});
    co_return results.front();
  };
  co_await live.show("A16", [&]() -> Task<Outcome> {
    co_await live.queue.view.pause(agent);
    const auto paused = co_await enqueue(queue::Priority::low, false);
    const auto first = co_await enqueue(queue::Priority::low, true);
    const auto second = co_await enqueue(queue::Priority::low, true);
    const auto third = co_await enqueue(queue::Priority::high, true);
    std::size_t count = 0;
    for (const auto& waiting : co_await live.queue.view.waiting(std::nullopt, 10'000))
      count += waiting.item && waiting.item->agent_id == agent ? 1 : 0;
    const auto evidence =
        fmt::format("a paused agent: {}, forced {}, again {}, higher {}: {} element",
                    name_of(paused), name_of(first), name_of(second), name_of(third), count);
    const bool fine = paused == queue::EnqueueResult::paused &&
                      first == queue::EnqueueResult::enqueued &&
                      second == queue::EnqueueResult::dup_queued &&
                      third == queue::EnqueueResult::upgraded && count == 1;
    co_return fine ? passed(evidence) : failed(evidence);
  });
  co_await live.show("A14", [&]() -> Task<Outcome> {
    co_await live.queue.view.drop_waiting(agent);
    co_await live.queue.view.resume(agent);
    co_await live.queue.commands.command({"HSET", "work:backoff", agent.str(), "99999999999"});
    const auto held = co_await enqueue(queue::Priority::low, false);
    co_return held == queue::EnqueueResult::backoff ? passed("enqueue answers BACKOFF")
                                                    : failed(std::string(name_of(held)));
  });
}

/// Takes the agent out again, whatever came of the items.
Task<> take_out(Live& live, AgentId agent) {
  try {
    co_await live.queue.view.drop_waiting(agent);
    co_await live.queue.view.clear_backoff(agent);
    co_await live.queue.view.resume(agent);
  } catch (const Error& error) {
    live.outcomes["A16"] =
        failed(fmt::format("{}: it may be left in the queue: `botburrow queue drop {}`",
                           error.message(), agent.str()));
  }
}

Task<> show_queue(Live& live) {
  const AgentId agent("verify-" + live.ground.random.uuid4());
  co_await with_cleanup(show_queue_with(live, agent),
                        [&live, agent] { return take_out(live, agent); });
}

Task<> show_redis(Live& live) {
  co_await live.show("A10", [&]() -> Task<Outcome> {
    std::string seen;
    for (const auto* lane : {"high", "normal", "low"}) {
      const auto reply =
          co_await live.queue.commands.command({"LLEN", std::string("work:queue:") + lane});
      seen += fmt::format("{} {} ", lane, reply.integer());
    }
    co_return passed(seen);
  });
  co_await live.show("A59", [&]() -> Task<Outcome> {
    const auto begin = BootClock::now();
    for (int i = 0; i < 100; ++i)
      co_await live.queue.commands.command({"PING"});
    const double each =
        std::chrono::duration<double, std::milli>(BootClock::now() - begin).count() / 100;
    const auto evidence = fmt::format("{:.2f} ms a PING, mean of 100", each);
    co_return each < 20 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_runners(Live& live) {
  co_await live.show("A43", [&]() -> Task<Outcome> {
    if (live.system.runners.empty())
      co_return skipped("no runner's address is known; give --runner URL for each");
    for (const auto& url : live.system.runners) {
      const auto text = (co_await live.get(url + "/metrics")).body;
      for (const auto* name : {"botburrow_runner_slots", "botburrow_redis_up",
                               "botburrow_runner_heartbeat", "botburrow_build_info"})
        if (text.find(std::string("\n") + name) == std::string::npos)
          co_return failed(fmt::format("{} has no {}", url, name));
    }
    co_return passed(fmt::format("{} runners export their metrics", live.system.runners.size()));
  });
}

/// Why Redis cannot be asked; empty: it can.
Task<std::string> redis_trouble(Live& live) {
  try {
    co_await live.queue.commands.ready(Deadline::in(5s));
    co_return std::string();
  } catch (const Error& error) {
    co_return error.message();
  }
}

Task<> show_all(Live& live) {
  const auto trouble = co_await redis_trouble(live);
  if (trouble.empty()) {
    co_await show_redis(live);
    co_await show_leader(live);
    co_await show_queue(live);
  } else {
    for (const auto* id : {"A6", "A10", "A14", "A16", "A59"})
      live.outcomes[id] = failed(trouble);
  }
  co_await show_metrics(live);
  co_await show_runners(live);
  if (!live.system.hub_url.empty()) co_await show_hub(live);
}

}  // namespace

Task<> run_live(const Ground& ground, LiveSystem system, Outcomes& outcomes, Progress progress) {
  Live live(ground, std::move(system), outcomes, std::move(progress));
  live.queue.start();
  co_await with_cleanup(show_all(live), [&live] { return live.queue.stop(); });
}

}  // namespace botburrow::cli::verify
