// `verify` against real systems: its own, a healthy one, and one that is not.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <map>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  EXPECT_GE(passes, 40);
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

}  // namespace
}  // namespace botburrow::e2e
