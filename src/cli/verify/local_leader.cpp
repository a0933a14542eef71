// Hub and leadership.
#include "base/error.hpp"
#include "cli/verify/local.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <signal.h>

#include <algorithm>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

Child& launch_coordinator(LocalWorld& world, const std::string& name, Variables more = {}) {
  more["INSTANCE_ID"] = name;
  auto& child = world.launch(name, {"coordinator"}, more);
  world.coordinators.push_back(&child);
  return child;
}

std::vector<std::string> names_with(const LocalWorld& world, std::string_view event) {
  std::vector<std::string> names;
  for (auto* child : world.coordinators)
    if (!child->events(event).empty()) names.push_back(child->name());
  return names;
}

double seconds_since(Instant begin) {
  return std::chrono::duration<double>(BootClock::now() - begin).count();
}

/// Sum of is_leader over the coordinators that run.
Task<double> leaders(LocalWorld& world) {
  double sum = 0;
  for (auto* child : world.coordinators)
    if (!child->ended()) sum += co_await world.metric(*child, "botburrow_coordinator_is_leader");
  co_return sum;
}

Child* leader_of(LocalWorld& world, const std::string& name) {
  const auto at = std::ranges::find_if(
      world.coordinators, [&](Child* child) { return child->name() == name && !child->ended(); });
  return at == world.coordinators.end() ? nullptr : *at;
}

Task<Child*> leader(LocalWorld& world) {
  const auto led = [&world]() -> Task<bool> {
    co_return leader_of(world, co_await world.redis_text({"GET", "coordinator:leader"})) != nullptr;
  };
  co_await world.until("somebody leads", led);
  co_return leader_of(world, co_await world.redis_text({"GET", "coordinator:leader"}));
}

/// Ends the leader by `number` and measures until another one leads.
Task<double> replace_leader(LocalWorld& world, int number) {
  auto* old = co_await leader(world);
  const auto epoch = co_await world.redis_text({"GET", "coordinator:epoch"});
  const auto begin = BootClock::now();
  old->signal(number);
  const auto another = [&]() -> Task<bool> {
    const auto name = co_await world.redis_text({"GET", "coordinator:leader"});
    co_return name != old->name() &&
        leader_of(world, name) !=
            nullptr&& co_await world.redis_text({"GET", "coordinator:epoch"}) != epoch;
  };
  co_await world.until("another one leads", another, 40s);
  const double took = seconds_since(begin);
  co_await old->join();
  co_return took;
}

Task<> two_coordinators(LocalWorld& world, const std::string& prefix) {
  for (const auto* number : {"1", "2"})
    launch_coordinator(world, prefix + number);
  co_await leader(world);
}

Task<> end_coordinators(LocalWorld& world) {
  for (auto* child : world.coordinators)
    child->signal(SIGTERM);
  for (auto* child : world.coordinators)
    co_await child->join();
  world.coordinators.clear();
}

}  // namespace

Task<> show_hub(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A25", [&]() -> Task<Outcome> {
    std::string seen;
    for (const auto* path : {"/health", "/api/v1/health", "/"}) {
      const auto status = (co_await world.get(world.hub_url() + path)).status;
      seen += fmt::format("{} {} ", path, status);
      if (status != 200) co_return failed(seen);
    }
    co_return passed(seen);
  });
  co_await run.show("A26", [&]() -> Task<Outcome> {
    const auto answer = co_await world.get(world.hub_url() + "/api/v1/notifications?unread=true",
                                           world.service_key());
    const auto document = try_parse_json(answer.body);
    const bool list = document && find_field(*document, "notifications") != nullptr;
    co_return list ? passed(fmt::format("{} with a list", answer.status))
                   : failed(fmt::format("{}: {}", answer.status, answer.body.substr(0, 200)));
  });
}

Task<> show_leadership(LocalRun& run) {
  auto& world = run.world;
  co_await two_coordinators(world, "verify-coordinator-");
  co_await run.show("A5", [&]() -> Task<Outcome> {
    for (auto* child : world.coordinators)
      co_await world.await_event(*child, "coordinator_started");
    co_return passed("both log coordinator_started, as JSON lines");
  });
  co_await run.show("A8", [&]() -> Task<Outcome> {
    auto* leading = co_await leader(world);
    co_await world.await_event(*leading, "poll_completed", 40s);
    for (auto* child : world.coordinators)
      if (child != leading) co_await world.await_event(*child, "not_leader_skipping_poll", 40s);
    co_return passed(leading->name() + " polls, the other says not_leader_skipping_poll");
  });
  co_await run.show("A6", [&]() -> Task<Outcome> {
    const auto names = names_with(world, "became_leader");
    const auto evidence = fmt::format("became_leader: {}", fmt::join(names, ", "));
    co_return names.size() == 1 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A9", [&]() -> Task<Outcome> {
    const auto one = [&]() -> Task<bool> { co_return co_await leaders(world) == 1; };
    co_await world.until("is_leader sums to 1", one);
    co_return passed("the sum over both is 1");
  });
  co_await run.show("A10", [&]() -> Task<Outcome> {
    std::string seen;
    for (const auto* lane : {"high", "normal", "low"})
      seen += fmt::format("{} {} ", lane,
                          co_await world.redis_number({"LLEN", std::string("work:queue:") + lane}));
    co_return passed(seen);
  });
  co_await world.define("verify-anna");
  co_await run.show("A16", [&]() -> Task<Outcome> {
    for (int i = 0; i < 3; ++i)
      co_await world.ask(fmt::format("@verify-anna question {}", i));
    const auto waits = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"LLEN", "work:queue:high"}) == 1;
    };
    co_await world.until("it waits", waits);
    co_await sleep_for(7s);  // three looks at the Hub's lists
    const auto length = co_await world.redis_number({"LLEN", "work:queue:high"});
    const auto active = co_await world.redis_number({"HLEN", "work:active"});
    const auto evidence =
        fmt::format("three mentions, three looks: {} element, {} active", length, active);
    co_return length == 1 && active == 0 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_leader_ends(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A11", [&]() -> Task<Outcome> {
    const double killed = co_await replace_leader(world, SIGKILL);
    launch_coordinator(world, "verify-coordinator-3");
    const double ended = co_await replace_leader(world, SIGTERM);
    launch_coordinator(world, "verify-coordinator-4");
    const auto evidence =
        fmt::format("killed: replaced after {:.1f} s; ended: after {:.1f} s", killed, ended);
    co_return killed <= 30 && ended <= 10 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A12", [&]() -> Task<Outcome> {
    const auto info = co_await world.redis_text({"INFO", "server"});
    const auto at = info.find("process_id:");
    if (at == std::string::npos) co_return skipped("Redis does not tell its process id");
    const int pid = std::stoi(info.substr(at + 11));
    struct Thaw {
      int pid;
      ~Thaw() { ::kill(pid, SIGCONT); }
    };
    double sum = -1;
    {
      ::kill(pid, SIGSTOP);
      const Thaw thaw{pid};
      co_await sleep_for(12s);
      sum = co_await leaders(world);
    }
    for (auto* child : world.children())
      if (child->ended() && child->status()->code > 0)
        co_return failed(fmt::format("{} ended", child->name()));
    const auto one = [&]() -> Task<bool> { co_return co_await leaders(world) == 1; };
    co_await world.until("one leads again", one, 60s);
    const auto evidence =
        fmt::format("frozen for 12 s: {} led; all stayed, and one led again by itself", sum);
    co_return sum == 0 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A7", [&]() -> Task<Outcome> {
    auto* leading = co_await leader(world);
    if (!leading->has("became_leader") && !leading->has("\"is_leader\":true"))
      co_return failed(leading->name() + " leads, and its log does not say so");
    co_return passed(leading->name() + ": became_leader or is_leader");
  });
  co_await end_coordinators(world);
  co_await run.show("A47", [&]() -> Task<Outcome> {
    auto& child = launch_coordinator(
        world, "verify-coordinator-5",
        {{"POLL_INTERVAL", "3"}, {"LOG_LEVEL", "DEBUG"}, {"LONG_POLL_TIMEOUT", "1"}});
    const auto line = co_await world.await_event(child, "settings_loaded");
    const auto text = to_json(line);
    const bool changed = text.find(R"("POLL_INTERVAL":{"value":"3")") != std::string::npos;
    co_return changed ? passed("restarted with POLL_INTERVAL 3: settings_loaded shows 3")
                      : failed(text.substr(0, 300));
  });
  co_await run.show("A42", [&]() -> Task<Outcome> {
    co_await world.await_event(*world.coordinators.back(), "poll_timeout");
    for (auto* child : world.children())
      if (child != world.coordinators.back() && !child->events("poll_timeout").empty())
        co_return failed(child->name() + " shows it at level INFO");
    co_return passed("poll_timeout at DEBUG, and nowhere at INFO");
  });
  co_await end_coordinators(world);
  co_await two_coordinators(world, "verify-coordinator-6");
}

Task<> show_wrong_settings(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A27", [&]() -> Task<Outcome> {
    auto& child =
        world.launch("verify-wrong-key", {"runner"}, {{"HUB_API_KEY", "botburrow_service_wrong"}});
    co_await world.await_event(child, "hub_auth_error");
    const auto ready = co_await world.get(co_await world.url_of(child) + "/ready");
    const bool stays = !child.ended();
    const auto evidence = fmt::format("hub_auth_error; /ready {} {}", ready.status, ready.body);
    co_await child.kill();
    co_return stays&& ready.status == 503 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A28", [&]() -> Task<Outcome> {
    const auto ran = co_await world.run({"coordinator"}, {{"HUB_URL", ""}});
    const auto evidence = fmt::format("exit {}: {}", ran.status.code, ran.err);
    const bool one_line = std::ranges::count(ran.err, '\n') == 1;
    co_return ran.status.code == 78 &&
            one_line&& ran.err.find("HUB_URL is required") != std::string::npos
        ? passed(evidence)
        : failed(evidence);
  });
  co_await run.show("A29", [&]() -> Task<Outcome> {
    auto& child =
        world.launch("verify-wrong-redis", {"runner"}, {{"REDIS_URL", "redis://127.0.0.1:1"}});
    const auto said = [&]() -> Task<bool> { co_return child.has("Error connecting to Redis"); };
    co_await world.until("it is said", said);
    const auto ready = co_await world.get(co_await world.url_of(child) + "/ready");
    const bool stays = !child.ended();
    co_await child.kill();
    const auto evidence = fmt::format("Error connecting to Redis; /ready {}", ready.status);
    co_return stays&& ready.status == 503 ? passed(evidence) : failed(evidence);
  });
}

}  // namespace botburrow::cli::verify
