// What single agents do, and what becomes of those that fail.
#include "base/error.hpp"
#include "cli/verify/local.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

Child& runner_of(LocalWorld& world) {
  return *world.runners.back();
}

/// The result of an agent's newest activation since `before` results were there.
Task<queue::ActivationResult> next_result(LocalWorld& world, std::string agent,
                                          std::chrono::seconds limit = 40s) {
  std::optional<queue::ActivationResult> found;
  const auto there = [&]() -> Task<bool> {
    const auto results = co_await world.view().results(50);
    const auto at =
        std::ranges::find_if(results, [&](const auto& one) { return one.agent_name == agent; });
    if (at != results.end()) found = *at;
    co_return found.has_value();
  };
  co_await world.until(agent + " has a result", there, limit);
  co_return *found;
}

std::string text_of(const queue::ActivationResult& result) {
  return fmt::format("{}{}", result.status, result.error ? ": " + *result.error : "");
}

Task<> until_read(LocalWorld& world, std::string agent) {
  const auto read = [&]() -> Task<bool> { co_return co_await world.unread(agent) == 0; };
  co_await world.until(agent + "'s notification is read", read);
}

/// Nothing written, marked read, `calls` of the model.
Task<Outcome> quiet(LocalWorld& world, std::string agent, std::string model, int calls) {
  const int before = world.model().calls(model);
  const auto id = co_await world.ask("@" + agent + " are you there?");
  co_await until_read(world, agent);
  const auto written = co_await world.answers(id, agent);
  const int called = world.model().calls(model) - before;
  const auto evidence = fmt::format("{} answers, marked read, {} model calls", written, called);
  co_return written == 0 && (calls < 0 || called == calls) ? passed(evidence) : failed(evidence);
}

Task<> show_failures(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A30", [&]() -> Task<Outcome> {
    co_await world.register_agent("verify-ghost");
    co_await world.ask("@verify-ghost are you there?");
    const auto result = co_await next_result(world, "verify-ghost");
    const bool named = text_of(result).find("Agent config not found: ") != std::string::npos;
    co_return named ? passed(text_of(result)) : failed(text_of(result));
  });
  co_await run.show("A33", [&]() -> Task<Outcome> {
    co_await world.define("verify-goose", {.type = "goose"});
    const auto id = co_await world.ask("@verify-goose and @verify-anna");
    const auto said = [&]() -> Task<bool> {
      co_return runner_of(world).has("Executor 'goose' not available");
    };
    co_await world.until("the executor is said to be missing", said);
    co_await world.until_answered(id, "verify-anna");
    co_await world.view().drop_waiting(AgentId("verify-goose"));
    co_await world.view().pause(AgentId("verify-goose"));
    co_return passed("Executor 'goose' not available; verify-anna answered");
  });
  co_await run.show("A31", [&]() -> Task<Outcome> {
    co_await world.define("verify-coder",
                          {.grants = "hub:read, hub:write, github:read", .servers = "github"});
    const auto id = co_await world.ask("@verify-coder are you there?");
    co_await world.until_answered(id, "verify-coder", 60s);
    const bool said = runner_of(world).has("failed to start MCP server 'github'");
    co_return said ? passed("failed to start MCP server 'github'; it answered without")
                   : failed("it answered, and the log does not name the server");
  });
}

Task<> show_breaker(LocalRun& run) {
  auto& world = run.world;
  co_await world.define("verify-refused", {.model = "verify-refused"});
  co_await run.show("A32", [&]() -> Task<Outcome> {
    co_await world.ask("@verify-refused are you there?");
    const auto said = [&]() -> Task<bool> { co_return runner_of(world).has("Invalid API key"); };
    co_await world.until("Invalid API key is said", said);
    const auto unread = co_await world.unread("verify-refused");
    const auto counted = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"HEXISTS", "work:failures", "verify-refused"}) == 1;
    };
    co_await world.until("the failure is counted", counted);
    const auto evidence = fmt::format("Invalid API key; {} unread; counted", unread);
    co_return unread == 1 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A13", [&]() -> Task<Outcome> {
    const auto open = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"HEXISTS", "work:backoff", "verify-refused"}) == 1;
    };
    co_await world.until("the breaker is open", open, 60s);
    const auto failures = co_await world.redis_text({"HGET", "work:failures", "verify-refused"});
    const auto snapshot = co_await world.view().snapshot();
    const auto at = snapshot.backoff.find("verify-refused");
    const double left = at == snapshot.backoff.end() ? 0 : at->second;
    const auto evidence = fmt::format("{} failures, held off for {:.0f} s", failures, left);
    co_return failures == "5" && left > 50 && left <= 60 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A14", [&]() -> Task<Outcome> {
    co_await world.ask("@verify-refused again");
    co_await sleep_for(5s);  // two looks at the Hub's lists
    const bool waits =
        co_await world.redis_number({"HEXISTS", "work:queued", "verify-refused"}) == 1;
    const bool runs =
        co_await world.redis_number({"HEXISTS", "work:active", "verify-refused"}) == 1;
    co_return waits || runs ? failed("it was enqueued")
                            : passed("two looks later it neither waits nor runs");
  });
  co_await run.show("A15", [&]() -> Task<Outcome> {
    const int before = world.model().calls("verify-refused");
    co_await world.redis_number({"DEL", "work:backoff"});
    const auto tried = [&]() -> Task<bool> {
      co_return world.model().calls("verify-refused") > before;
    };
    co_await world.until("it is tried again", tried);
    co_return passed("DEL work:backoff, and the next look enqueued it");
  });
  co_await world.view().pause(AgentId("verify-refused"));
}

Task<> show_silence(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A34", [&]() -> Task<Outcome> {
    co_await world.define("verify-mute", {.behavior = "  respond_to_mentions: false\n"});
    co_return co_await quiet(world, "verify-mute", "verify-ok", 0);
  });
  co_await run.show("A35", [&]() -> Task<Outcome> {
    co_await world.define("verify-skip", {.model = "verify-skip"});
    co_return co_await quiet(world, "verify-skip", "verify-skip", 1);
  });
  co_await run.show("A36", [&]() -> Task<Outcome> {
    co_await world.define("verify-reader", {.grants = "hub:read"});
    const auto id = co_await world.ask("@verify-reader are you there?");
    const auto result = co_await next_result(world, "verify-reader");
    const auto written = co_await world.answers(id, "verify-reader");
    const auto evidence = fmt::format("{} answers; {}", written, text_of(result));
    co_return written == 0 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_limits(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A38", [&]() -> Task<Outcome> {
    co_await world.define("verify-looper",
                          {.model = "verify-loop", .behavior = "  max_iterations: 5\n"});
    co_await world.ask("@verify-looper are you there?");
    co_await world.await_event(runner_of(world), "loop_exceeded_iterations");
    const int calls = world.model().calls("verify-loop");
    const auto evidence = fmt::format("loop_exceeded_iterations after {} model calls", calls);
    co_await world.view().pause(AgentId("verify-looper"));
    co_return calls == 5 ? passed(evidence) : failed(evidence);
  });
  co_await world.define("verify-stuck", {.model = "verify-stuck"});
  co_await run.show("A39", [&]() -> Task<Outcome> {
    co_await world.ask("@verify-stuck are you there?");
    std::string activation;
    const auto runs = [&]() -> Task<bool> {
      for (const auto& one : co_await world.view().activations())
        if (one.agent_name == "verify-stuck") activation = one.activation_id.str();
      co_return !activation.empty();
    };
    co_await world.until("it runs", runs);
    co_await world.redis_number({"DEL", "activation:" + activation});
    const auto begin = BootClock::now();
    const auto gone = [&]() -> Task<bool> {
      co_return co_await world.redis_number({"HEXISTS", "work:active", "verify-stuck"}) == 0;
    };
    co_await world.until("it is stopped", gone, 5s);
    const double took = std::chrono::duration<double>(BootClock::now() - begin).count();
    const auto unread = co_await world.unread("verify-stuck");
    const auto evidence = fmt::format("stopped after {:.1f} s, {} unread", took, unread);
    co_return unread == 1 ? passed(evidence) : failed(evidence);
  });
  co_await run.show("A37", [&]() -> Task<Outcome> {
    co_await world.view().clear_backoff(AgentId("verify-stuck"));
    const auto ended = [&]() -> Task<bool> {
      for (const auto& one : co_await world.view().results(50))
        if (one.agent_name == "verify-stuck" && one.status == "timeout") co_return true;
      co_return false;
    };
    co_await world.until("it times out", ended, 40s);
    double took = 0;
    for (const auto& one : co_await world.view().results(50))
      if (one.agent_name == "verify-stuck" && one.status == "timeout") took = one.duration_seconds;
    co_await world.view().pause(AgentId("verify-stuck"));
    const auto evidence = fmt::format("ACTIVATION_TIMEOUT 20: status timeout after {:.1f} s", took);
    co_return took >= 18 && took <= 22 ? passed(evidence) : failed(evidence);
  });
}

Task<> show_changes(LocalRun& run) {
  auto& world = run.world;
  co_await run.show("A48", [&]() -> Task<Outcome> {
    co_await world.define("verify-changing", {.model = "verify-skip"});
    co_await world.ask("@verify-changing are you there?");
    co_await until_read(world, "verify-changing");
    world.write_definition("verify-changing", {});
    const auto told = co_await world.post(co_await world.url_of(runner_of(world)) +
                                          "/api/v1/cache/invalidate?agent=verify-changing");
    if (told.status != 200) co_return failed(fmt::format("invalidate answers {}", told.status));
    const auto id = co_await world.ask("@verify-changing and now?");
    co_await world.until_answered(id, "verify-changing");
    co_return passed("its model was changed in the file; the next activation used it");
  });
  co_await run.show("A52", [&]() -> Task<Outcome> {
    co_await world.define("verify-poor");
    const json::object limit = {{"daily_limit_usd", 0.01}};
    const auto set = co_await world.admin("PUT", "/system/budgets/agents/verify-poor", limit);
    const json::object spent = {{"agent_id", "verify-poor"}, {"cost_usd", 0.02}};
    const auto report = co_await world.admin("POST", "/system/consumption", spent);
    if (set.status >= 300 || report.status >= 300)
      co_return failed(fmt::format("budget {} {}, consumption {} {}", set.status, set.body,
                                   report.status, report.body));
    const auto id = co_await world.ask("@verify-poor are you there?");
    const auto result = co_await next_result(world, "verify-poor");
    const bool counted =
        co_await world.redis_number({"HEXISTS", "work:failures", "verify-poor"}) == 1;
    const auto written = co_await world.answers(id, "verify-poor");
    const bool said = runner_of(world).has("budget_refused");
    const auto evidence = fmt::format("{}; budget_refused {}; {} answers; failure counted: {}",
                                      text_of(result), said, written, counted);
    co_return said&& written == 0 && !counted ? passed(evidence) : failed(evidence);
  });
}

}  // namespace

Task<> show_agents(LocalRun& run) {
  co_await show_failures(run);
  co_await show_silence(run);
  co_await show_breaker(run);
  co_await show_limits(run);
  co_await show_changes(run);
}

}  // namespace botburrow::cli::verify
