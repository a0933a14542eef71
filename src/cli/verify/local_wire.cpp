// What services do when the way to the Hub is not what it should be: a system of its own, whose
// services reach the others through a wire that this program holds.
#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "cli/verify/local.hpp"
#include "cli/verify/wire.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <algorithm>
#include <fstream>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;

constexpr int kPollInterval = 2;
constexpr int kIntervals = 5;

bool is_list(const Wire::Request& request, std::string_view which) {
  return request.method == "GET" && request.target.starts_with("/api/v1/agents?") &&
         request.target.find(which) != std::string::npos;
}

bool is_comment(const Wire::Request& request) {
  return request.method == "POST" && request.target.starts_with("/api/v1/posts/") &&
         request.target.ends_with("/comments");
}

bool is_poll(const Wire::Request& request) {
  return request.target.starts_with("/api/v1/notifications/poll");
}

Task<> end(Child& child) {
  child.signal(SIGTERM);
  co_await child.join();
}

/// The Hub takes the comment, and the runner never hears of it.
Task<Outcome> lost_answer(LocalWorld& world, Wire& wire) {
  wire.decide([lost = false](const Wire::Request& request) mutable {
    if (lost || !is_comment(request)) return Wire::Fate::pass;
    lost = true;
    return Wire::Fate::lose_answer;
  });
  auto& coordinator = world.launch("verify-wire-coordinator", {"coordinator"});
  auto& runner = world.launch("verify-wire-runner", {"runner"}, {{"HUB_URL", wire.url()}});
  co_await world.until_ready(runner);
  const auto id = co_await world.ask("@verify-wire are you there?");
  const auto lost = [&]() -> Task<bool> { co_return wire.lost() == 1; };
  co_await world.until("the answer to the comment is lost", lost, 60s);
  co_await world.until_answered(id, "verify-wire", 60s);
  co_await world.until_at_rest();
  const auto comments = co_await world.answers(id, "verify-wire");
  const auto evidence = fmt::format(
      "the Hub took the comment, its answer was replaced by a reset; asked {} times in all: {} "
      "comment",
      wire.count(is_comment), comments);
  co_await end(runner);
  co_await end(coordinator);
  co_return comments == 1 ? passed(evidence) : failed(evidence);
}

Task<Outcome> no_polls(LocalWorld& world, Wire& wire) {
  wire.decide([](const Wire::Request& request) {
    return is_poll(request) ? Wire::Fate::not_there : Wire::Fate::pass;
  });
  auto& runner = world.launch("verify-listed-runner", {"runner"});
  auto& coordinator =
      world.launch("verify-listed-coordinator", {"coordinator"},
                   {{"HUB_URL", wire.url()}, {"POLL_INTERVAL", std::to_string(kPollInterval)}});
  co_await world.await_event(coordinator, "long_poll_not_available_falling_back");
  const auto asked_for = [&wire](std::string_view which) {
    return wire.count([which](const auto& request) { return is_list(request, which); });
  };
  const auto lists = asked_for("has_notifications"), stale = asked_for("stale=");
  const auto begin = BootClock::now();
  co_await sleep_for(kIntervals * std::chrono::seconds(kPollInterval));
  const auto asked = std::max(asked_for("has_notifications") - lists, asked_for("stale=") - stale);
  const double lasted = std::chrono::duration<double>(BootClock::now() - begin).count();
  const auto id = co_await world.ask("@verify-wire and without polls?");
  co_await world.until_answered(id, "verify-wire", 60s);
  const auto evidence = fmt::format(
      "long_poll_not_available_falling_back; {} looks at the lists in {:.0f} s at POLL_INTERVAL "
      "{}, {} polls; a mention was answered",
      asked, lasted, kPollInterval, wire.count(is_poll));
  const bool fits = asked >= 1 && static_cast<double>(asked) <= lasted / kPollInterval + 1;
  co_await end(coordinator);
  co_await end(runner);
  co_return fits ? passed(evidence) : failed(evidence);
}

/// Names that only the proxy knows: whoever went past it would reach nothing.
Task<Outcome> through_proxy(LocalWorld& world, Wire& wire) {
  wire.decide({});
  wire.lead("hub.verify.invalid", world.hub_url());
  wire.lead("model.verify.invalid", world.model().url());
  std::ofstream(world.folder() + "/servers.yaml")
      << "servers:\n  github:\n    url: http://github.verify.invalid/mcp\n"
         "    credential: {header: Authorization, prefix: \"Bearer \", from: GITHUB_PAT}\n"
         "    grants: {read: github:read, write: github:write}\n";
  const Variables around = {{"HTTP_PROXY", wire.url()},
                            {"HUB_URL", "http://hub.verify.invalid"},
                            {"OPENAI_BASE_URL", "http://model.verify.invalid/v1"},
                            {"GITHUB_PAT", "ghp_verify_proxy"},
                            {"MCP_SERVERS_FILE", world.folder() + "/servers.yaml"}};
  auto& coordinator = world.launch("verify-proxy-coordinator", {"coordinator"}, around);
  auto& runner = world.launch("verify-proxy-runner", {"runner"}, around);
  co_await world.until_ready(runner);
  co_await world.define("verify-proxied",
                        {.grants = "hub:read, hub:write, github:read", .servers = "github"});
  const auto id = co_await world.ask("@verify-proxied are you there?");
  co_await world.until_answered(id, "verify-proxied", 60s);
  const auto hub = wire.of_host("hub.verify.invalid");
  const auto model = wire.of_host("model.verify.invalid");
  const auto github = wire.of_host("github.verify.invalid");
  const auto evidence = fmt::format(
      "HTTP_PROXY, and names that only the proxy knows: it passed {} requests to the Hub, {} to "
      "the model, and saw {} for the github MCP server; answered",
      hub, model, github);
  co_await end(coordinator);
  co_await end(runner);
  co_return hub > 0 && model > 0 && github > 0 ? passed(evidence) : failed(evidence);
}

Task<> show_all(LocalRun& run, Wire& wire) {
  auto& world = run.world;
  co_await world.start();
  wire.start();
  wire.lead("", world.hub_url());
  co_await world.define("verify-wire");
  co_await run.show("A55", [&] { return lost_answer(world, wire); });
  co_await run.show("A56", [&] { return no_polls(world, wire); });
  co_await run.show("A60", [&] { return through_proxy(world, wire); });
}

}  // namespace

Task<> show_wire(const Ground& ground, Outcomes& outcomes, Progress progress) {
  LocalWorld world(ground);
  Wire wire(ground.executor);
  LocalRun run{.world = world, .outcomes = outcomes, .progress = std::move(progress)};
  std::string trouble;
  try {
    co_await with_cleanup(show_all(run, wire), [&]() -> Task<> {
      co_await world.stop();
      co_await wire.stop();
    });
  } catch (const Error& error) {
    trouble = error.message();
  }
  if (trouble.empty()) co_return;
  for (const auto* id : {"A55", "A56", "A60"})
    outcomes.try_emplace(id, failed("the run ended here: " + trouble));
}

}  // namespace botburrow::cli::verify
