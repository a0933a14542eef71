// Runners: order, slots, modes, ends, load.
#include "base/error.hpp"
#include "cli/verify/local.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

Child& launch_runner(LocalWorld& world, const std::string& name, const std::string& mode,
                     const std::string& slots) {
  auto& child = world.launch(name, {"runner", "--mode", mode},
                             {{"RUNNER_ID", name}, {"MAX_CONCURRENT_ACTIVATIONS", slots}});
  world.runners.push_back(&child);
  return child;
}

Task<> add_work(LocalWorld& world, std::string agent, std::string priority, std::string task) {
  const auto ran = co_await world.run(
      {"queue", "add", agent, "--priority", priority, "--task", task, "--force", "--unchecked"});
  if (!ran.status.ok()) throw Error(errc::io, "queue add: " + ran.err + ran.out);
}

Task<> end_runners(LocalWorld& world) {
  for (auto* child : world.runners)
    child->signal(SIGTERM);
  for (auto* child : world.runners)
    co_await child->join();
  world.runners.clear();
}

double seconds_since(Instant begin) {
  return std::chrono::duration<double>(BootClock::now() - begin).count();
}

/// Asks a slow agent and waits until it is being worked on.
Task<std::string> slow_work(LocalWorld& world) {
  const auto id = co_await world.ask("@verify-slow are you there?");
  const auto active = [&world]() -> Task<bool> {
    co_return co_await world.redis_number({"HEXISTS", "work:active", "verify-slow"}) == 1;
  };
  co_await world.until("it is being worked on", active);
  co_return id;
}

Task<Outcome> answered_once(LocalWorld& world, std::string id, std::string before) {
  co_await world.until_answered(id, "verify-slow", 60s);
  co_await world.until_at_rest();
  const auto count = co_await world.answers(id, "verify-slow");
  const auto evidence = fmt::format("{}; {} answer", before, count);
  co_return count == 1 ? passed(evidence) : failed(evidence);
}

}  // namespace

Task<> show_one_runner(LocalRun& run) {
  auto& world = run.world;
  auto& runner = launch_runner(world, "verify-runner-1", "hybrid", "2");
  co_await world.until_ready(runner);
  co_await world.until_at_rest();
  const auto id = co_await world.ask("@verify-anna are you there?");
  co_await world.until_answered(id, "verify-anna");
  co_await world.until_at_rest();
  co_await run.show("A53", [&]() -> Task<Outcome> {
    const auto answer =
        co_await world.get(world.hub_url() + "/api/v1/agents/verify-anna", world.service_key());
    const auto stamp =
        string_field(parse_json(answer.body, "agent"), "last_activated_at").value_or("");
    co_return stamp.empty() ? failed(answer.body) : passed("last_activated_at " + stamp);
  });
  co_await run.show("A54", [&]() -> Task<Outcome> {
    const auto calls = world.model().calls("verify-ok");
    std::int64_t in = 0, out = 0;
    const auto equal = [&]() -> Task<bool> {
      const auto answer = co_await world.get(
          world.hub_url() + "/api/v1/system/consumption?agent_id=verify-anna", world.service_key());
      const auto document = parse_json(answer.body, "consumption");
      in = out = 0;
      for (const auto& line : array_field(document, "consumption")) {
        in += int_field(line, "tokens_input").value_or(0);
        out += int_field(line, "tokens_output").value_or(0);
      }
      co_return in == calls* ModelStub::kTokensIn&& out == calls* ModelStub::kTokensOut;
    };
    co_await world.until("the Hub's numbers are the model's", equal);
    co_return passed(
        fmt::format("{} calls: {} tokens in, {} out, at the Hub and at the model", calls, in, out));
  });
  co_await run.show("A41", [&]() -> Task<Outcome> {
    // An agent with an MCP server, and long enough at work for its program to be looked at.
    co_await world.define(
        "verify-desk",
        {.model = "verify-slow", .grants = "hub:read, hub:write, desk:use", .servers = "desk"});
    const auto asked = co_await world.ask("@verify-desk are you there?");
    co_await world.until_answered(asked, "verify-desk");
    std::vector<std::string> missing;
    for (const auto* word : {"work_claimed", "redis_connected", "activation_completed",
                             "activation_duration", "iteration", "mcp_server_start"})
      if (!runner.has(word)) missing.emplace_back(word);
    co_return missing.empty() ? passed(
                                    "claim, redis, connected, activation_completed, "
                                    "activation_duration, iteration, mcp")
                              : failed(fmt::format("missing: {}", fmt::join(missing, ", ")));
  });
  co_await run.show("A43", [&]() -> Task<Outcome> {
    const auto text = (co_await world.get(co_await world.url_of(runner) + "/metrics")).body;
    std::vector<std::string> missing;
    for (const auto* name :
         {"botburrow_activations_total", "botburrow_activation_total",
          "botburrow_activation_duration_seconds", "botburrow_activations_in_progress",
          "botburrow_tokens_consumed_total", "botburrow_tokens_used", "botburrow_tokens_total",
          "botburrow_queue_wait_seconds", "botburrow_runner_info", "botburrow_runner_heartbeat",
          "botburrow_runner_heartbeat_timestamp_seconds", "botburrow_runner_slots",
          "botburrow_hub_requests_total", "botburrow_llm_requests_total", "botburrow_redis_up",
          "botburrow_build_info"})
      if (text.find(std::string("\n") + name) == std::string::npos) missing.emplace_back(name);
    co_return missing.empty() ? passed("16 names with data")
                              : failed(fmt::format("missing: {}", fmt::join(missing, ", ")));
  });
  co_await run.show("A59", [&]() -> Task<Outcome> {
    const auto begin = BootClock::now();
    for (int i = 0; i < 100; ++i)
      co_await world.redis_text({"PING"});
    const double each = seconds_since(begin) * 10;
    const auto evidence = fmt::format("{:.2f} ms a PING, mean of 100", each);
    co_return each < 20 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A22", [&]() -> Task<Outcome> {
    co_await world.view().pause(AgentId("*"));
    for (const auto* name : {"verify-p1", "verify-p2", "verify-p3", "verify-p4"})
      co_await world.define(name);
    co_await add_work(world, "verify-p1", "low", "inbox");
    co_await add_work(world, "verify-p2", "normal", "inbox");
    co_await add_work(world, "verify-p3", "high", "inbox");
    co_await add_work(world, "verify-p4", "high", "inbox");
    const auto before = runner.events("work_claimed").size();
    co_await world.view().resume(AgentId("*"));
    const auto taken = [&]() -> Task<bool> {
      co_return runner.events("work_claimed").size() >= before + 4;
    };
    co_await world.until("all four are claimed", taken);
    std::vector<std::string> order;
    const auto lines = runner.events("work_claimed");
    for (std::size_t i = before; i < lines.size(); ++i)
      order.push_back(string_field(lines[i], "agent_id").value_or("?"));
    const auto evidence = fmt::format("claimed: {}", fmt::join(order, ", "));
    const std::vector<std::string> wanted = {"verify-p3", "verify-p4", "verify-p2", "verify-p1"};
    co_return order == wanted ? passed(evidence) : failed(evidence);
  });
  co_await world.define("verify-slow", {.model = "verify-slow"});
  co_await run.show("A40", [&]() -> Task<Outcome> {
    for (const auto* name : {"verify-slow-2", "verify-slow-3"})
      co_await world.define(name, {.model = "verify-slow"});
    co_await world.until_at_rest();
    const auto asked = co_await world.ask("@verify-slow @verify-slow-2 @verify-slow-3 hello");
    const auto two = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"HLEN", "work:active"}) == 2;
    };
    co_await world.until("two are active", two);
    std::int64_t most = 2;
    const auto done = [&]() -> Task<bool> {
      most = std::max(most, co_await world.redis_number({"HLEN", "work:active"}));
      co_return co_await world.answers(asked, "verify-slow-3") == 1 &&
          co_await world.answers(asked, "verify-slow-2") == 1 &&
          co_await world.answers(asked, "verify-slow") == 1;
    };
    co_await world.until("all three answer", done);
    const auto evidence = fmt::format("three asked, two slots: at most {} active", most);
    co_return most == 2 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_runner_ends(LocalRun& run) {
  auto& world = run.world;
  co_await world.until_at_rest();
  co_await run.show("A18", [&]() -> Task<Outcome> {
    const auto id = co_await slow_work(world);
    const auto begin = BootClock::now();
    co_await world.runners.back()->kill();
    world.runners.clear();
    const auto freed = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"HLEN", "work:active"}) == 0;
    };
    co_await world.until("work:active is free", freed, 20s);
    const double took = seconds_since(begin);
    auto& next = launch_runner(world, "verify-runner-2", "hybrid", "2");
    co_await world.until_ready(next);
    co_return co_await answered_once(world, id,
                                     fmt::format("killed at work; free after {:.1f} s", took));
  });
  co_await run.show("A19", [&]() -> Task<Outcome> {
    const auto id = co_await slow_work(world);
    auto* runner = world.runners.back();
    runner->signal(SIGTERM);
    const auto ended = [runner]() -> Task<bool> { co_return runner->ended(); };
    co_await world.until("it ends", ended, 120s);
    const int code = runner->status()->code;
    world.runners.clear();
    auto& next = launch_runner(world, "verify-runner-3", "notification", "1");
    co_await world.until_ready(next);
    const auto outcome =
        co_await answered_once(world, id, fmt::format("ended at work; exit {}", code));
    co_return code == 0 ? outcome : failed(outcome.evidence);
  });
  co_await run.show("A20", [&]() -> Task<Outcome> {
    co_await world.define("verify-explorer");
    co_await add_work(world, "verify-explorer", "normal", "discovery");
    auto& runner = *world.runners.back();
    co_await world.await_event(runner, "runner_idle", 70s);
    const auto waiting = co_await world.redis_number({"LLEN", "work:queue:normal"});
    auto& explorer = launch_runner(world, "verify-runner-4", "exploration", "1");
    co_await world.await_event(explorer, "work_claimed");
    launch_runner(world, "verify-runner-5", "hybrid", "8");
    const auto evidence = fmt::format(
        "{} waited while only a notification runner lived (runner_idle); an exploration runner "
        "took it",
        waiting);
    co_return waiting == 1 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_load(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A17", [&]() -> Task<Outcome> {
    constexpr int kAgents = 40, kPosts = 20, kAtOnce = 10;
    for (int i = 0; i < kAgents; ++i)
      co_await world.define(fmt::format("verify-load-{}", i));
    std::vector<std::pair<std::string, std::string>> asked;
    for (int post = 0; post < kPosts; ++post) {
      std::string text;
      std::vector<std::string> names;
      for (int i = 0; i < kAtOnce; ++i)
        names.push_back(fmt::format("verify-load-{}", (post * kAtOnce + i) % kAgents));
      for (const auto& name : names)
        text += "@" + name + " ";
      const auto id = co_await world.ask(text + fmt::format("question {}", post));
      for (const auto& name : names)
        asked.emplace_back(id, name);
    }
    const auto begin = BootClock::now();
    for (const auto& [id, name] : asked)
      co_await world.until_answered(id, name, 90s);
    co_await world.until_at_rest();
    std::size_t wrong = 0;
    for (const auto& [id, name] : asked)
      wrong += co_await world.answers(id, name) == 1 ? 0 : 1;
    const auto evidence = fmt::format(
        "{} mentions of {} agents, {} runners: {} without exactly one answer, after {:.0f} s",
        asked.size(), kAgents, world.runners.size(), wrong, seconds_since(begin));
    co_return wrong == 0 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_secrets(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A49", [&]() -> Task<Outcome> {
    co_await end_runners(world);
    co_await add_work(world, "verify-anna", "high", "inbox");
    const auto before = co_await world.view().census();
    const auto file = world.folder() + "/verify.backup";
    const auto made = co_await world.run(
        {"backup", file, "--hub-database", world.folder() + "/hub/hub.db", "--json"});
    if (!made.status.ok()) co_return failed("backup: " + made.err);
    const auto back = co_await world.run(
        {"restore", file, "--data", world.folder() + "/restored", "--json"}, {{"REDIS_URL", ""}});
    if (!back.status.ok()) co_return failed("restore: " + back.err);
    const auto document = parse_json(back.out, "restore");
    const auto* part = find_field(document, "redis");
    const auto* census = part != nullptr ? find_field(*part, "census") : nullptr;
    const auto waiting = census != nullptr ? int_field(*census, "waiting").value_or(-1) : -1;
    const auto evidence =
        fmt::format("waiting before {}, restored elsewhere {}", before.waiting, waiting);
    co_return waiting == before.waiting&& waiting >= 1 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A58", [&]() -> Task<Outcome> {
    const auto secrets = world.secrets();
    SecretSearch outside;
    for (auto* child : world.children()) {
      std::ifstream file(fmt::format("/proc/{}/cmdline", child->pid()));
      const std::string words((std::istreambuf_iterator<char>(file)), {});
      outside.look("the log of " + child->name(), child->text(), secrets);
      outside.look("the command line of " + child->name(), words, secrets);
    }
    SecretSearch files;
    look_at_files(world.folder(), secrets, files);
    for (const SecretSearch* search :
         std::initializer_list<const SecretSearch*>{&outside, &files, &world.programs()})
      if (!search->found.empty()) co_return failed(search->found + " shows a secret");
    co_return passed(fmt::format(
        "{} secrets: not in {} bytes of logs and command lines of services, nor in {} files, nor "
        "in command lines and environments of {} programs that they started",
        secrets.size(), outside.bytes, files.places, world.programs().places));
  });
}

}  // namespace botburrow::cli::verify
