// `verify` against real systems: its own, a healthy one, and one that is not.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <filesystem>
#include <map>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;

std::map<std::string, std::string> results_of(const json::value& document) {
  std::map<std::string, std::string> results;
  for (const auto& item : document.at("items").as_array())
    results[text_of(item, "id")] = text_of(item, "result");
  return results;
}

class Verify : public ServicesWorld {};

TEST_F(Verify, LocalRunShowsEverythingThatNeedsNoCluster) {
  const auto report = folder_.file("report.md");
  const auto ran = run({"verify", "--local", "--json", "--report", report}, {}, 300s);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  int passes = 0;
  const auto document = ran.json();
  for (const auto& item : document.at("items").as_array()) {
    EXPECT_NE(text_of(item, "result"), "fail") << to_json(item);
    EXPECT_NE(text_of(item, "evidence"), "not run") << to_json(item);
    passes += text_of(item, "result") == "pass" ? 1 : 0;
  }
  EXPECT_GE(passes, 47);
  const auto results = results_of(document);
  for (const auto* id : {"A17", "A41", "A54", "A55", "A56", "A58", "A60"})
    EXPECT_EQ(results.at(id), "pass") << id;
  EXPECT_THAT(folder_.read("report.md"), HasSubstr("| A17 |"));
}

TEST_F(Verify, LiveSystemShowsWhatDisturbsNobodyAndNothingIsLeftBehind) {
  start_hub();
  define_agent("anna");
  register_agent("anna");
  auto& first = start({"coordinator"});
  auto& second = start({"coordinator"});
  auto& runner = start({"runner"});
  eventually("it leads", [&] { return !cli_line({"GET", "work:generation"}).empty(); });
  eventually("ready", [&] { return get(url_of(runner) + "/ready").status == 200; });
  const Words words = {"verify",        "--json",       "--coordinator", url_of(first),
                       "--coordinator", url_of(second), "--runner",      url_of(runner)};
  const auto ran = run(words);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto results = results_of(ran.json());
  for (const auto* id : {"A6", "A9", "A10", "A14", "A16", "A25", "A26", "A43", "A59"})
    EXPECT_EQ(results.at(id), "pass") << id << ran.out;
  EXPECT_EQ(results.at("A18"), "skip");
  EXPECT_TRUE(at_rest());
  EXPECT_EQ(cli_line({"SCARD", "work:paused"}), "0");
  EXPECT_EQ(cli_line({"HLEN", "work:backoff"}), "0");
  EXPECT_EQ(cli_line({"HLEN", "work:queued"}), "0");

  // Nobody leads any more: that is what fails.
  for (auto* coordinator : {&first, &second}) {
    coordinator->signal(SIGTERM);
    EXPECT_EQ(coordinator->wait(), 0);
  }
  const auto after = run({"verify", "--json"});
  EXPECT_EQ(after.code, 1);
  EXPECT_EQ(results_of(after.json()).at("A6"), "fail");
  EXPECT_EQ(results_of(after.json()).at("A10"), "pass");
}

/// A kubectl that answers as a cluster would that runs all of it; FAULT makes one thing otherwise.
/// No machine of these tests runs pods.
class VerifyKubernetes : public World {
 protected:
  VerifyKubernetes() {
    folder_.write("bin/kubectl", R"sh(#!/bin/sh
shift 2
case "$*" in
  *" -l "*coordinator*) names="coordinator-a coordinator-b" ;;
  *" -l app=runner"*) names="runner-hybrid-a runner-notification-a runner-exploration-a" ;;
  *) names="coordinator-a coordinator-b runner-hybrid-a runner-notification-a runner-exploration-a valkey-0" ;;
esac
restarts=0; [ "$FAULT" != restarts ] || restarts=3
case "$*" in
  "get pods"*"-o json")
    sep=""; printf '{"items":['
    for name in $names; do
      printf '%s{"metadata":{"name":"%s"},"status":{"phase":"Running","containerStatuses":[{"ready":true,"restartCount":%s}]}}' "$sep" "$name" "$restarts"
      sep=,
    done
    printf ']}' ;;
  "get secret/"*) [ "$FAULT" != secret ] || { echo "secrets not found" >&2; exit 1; } ;;
  "get "*) ;;
  "logs "*) echo '{"event":"coordinator_started"}'; echo '{"event":"became_leader"}' ;;
  "exec valkey-0 -- redis-cli GET coordinator:leader") if [ -e "$STATE" ]; then echo coordinator-b; else echo coordinator-a; fi ;;
  "exec valkey-0 -- redis-cli LLEN"*) echo 0 ;;
  "exec deploy/coordinator -- redis-cli"*) echo PONG ;;
  "exec deploy/coordinator -- sh"*) printf 200 ;;
  *printenv*) echo hybrid ;;
  "delete pod coordinator-a"*) : >"$STATE" ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
)sh");
    std::filesystem::permissions(folder_.file("bin/kubectl"), std::filesystem::perms(0755));
  }
  Ran verify(Variables more = {}, Words words = {}) {
    words.insert(words.begin(), {"verify", "--kubernetes", "botburrow-agents", "--json"});
    more["PATH"] = folder_.file("bin") + ":/usr/bin:/bin";
    more["STATE"] = folder_.file("deleted");
    return run(std::move(words), std::move(more));
  }
};

TEST_F(VerifyKubernetes, ShowsWhatKubectlShows) {
  const auto ran = verify();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  const auto results = results_of(ran.json());
  for (const auto* id : {"A3", "A4", "A5", "A6", "A10", "A21", "A23", "A24", "A51"})
    EXPECT_EQ(results.at(id), "pass") << id << ran.out;
  EXPECT_EQ(results.at("A11"), "skip") << "deletes nothing unless told";
  EXPECT_FALSE(std::filesystem::exists(folder_.file("deleted")));
  const auto told = verify({}, {"--destructive"});
  EXPECT_EQ(results_of(told.json()).at("A11"), "pass") << told.out;
  EXPECT_TRUE(std::filesystem::exists(folder_.file("deleted")));
}

TEST_F(VerifyKubernetes, NamesWhatIsOtherwise) {
  const auto restarted = verify({{"FAULT", "restarts"}});
  EXPECT_EQ(restarted.code, 1);
  EXPECT_EQ(results_of(restarted.json()).at("A3"), "fail");
  EXPECT_THAT(restarted.out, HasSubstr("3 restarts"));
  const auto bare = verify({{"FAULT", "secret"}});
  EXPECT_EQ(results_of(bare.json()).at("A51"), "fail");
  EXPECT_THAT(bare.out, HasSubstr("secrets not found"));
}

TEST_F(VerifyKubernetes, WithoutKubectlItSaysSo) {
  const auto ran = run({"verify", "--kubernetes", "botburrow-agents"}, {{"PATH", "/nonexistent"}});
  EXPECT_NE(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("kubectl"));
}

}  // namespace
}  // namespace botburrow::e2e
