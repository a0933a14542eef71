// The plan and its report; runs against real systems are in tests/e2e.
#include "base/json.hpp"
#include "cli/verify/report.hpp"
#include "run_program.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace botburrow::cli::verify {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(VerifyPlan, HasA1ToA60InOrder) {
  ASSERT_EQ(plan().size(), 60u);
  for (std::size_t i = 0; i < plan().size(); ++i) {
    EXPECT_EQ(plan()[i].id, "A" + std::to_string(i + 1));
    EXPECT_THAT(plan()[i].title, Not(IsEmpty()));
  }
}

TEST(VerifyReport, HasARowForEveryItemAndAReasonForEverySkip) {
  const Outcomes outcomes = {{"A6", passed("one")}, {"A9", failed("two | three\nfour")}};
  const auto document = to_document(outcomes, "not run");
  const auto& items = array_field(document, "items");
  ASSERT_EQ(items.size(), 60u);
  EXPECT_EQ(string_field(items[5], "result"), "pass");
  EXPECT_EQ(string_field(items[5], "evidence"), "one");
  EXPECT_EQ(string_field(items[8], "result"), "fail");
  for (const auto& item : items)
    EXPECT_THAT(*string_field(item, "evidence"), Not(IsEmpty()));
  EXPECT_EQ(string_field(items[0], "result"), "skip");
  EXPECT_THAT(*string_field(items[0], "evidence"), HasSubstr("cluster"));
  EXPECT_EQ(string_field(items[9], "evidence"), "not run");
  const auto text = to_markdown(outcomes, "not run", "here", "now");
  EXPECT_THAT(text, HasSubstr("1 pass, 1 fail, 58 skip"));
  EXPECT_THAT(text, HasSubstr("| fail | two \\| three four |"));
}

TEST(VerifyReport, FailsWithOneFailure) {
  EXPECT_FALSE(any_failed({{"A6", passed("")}, {"A7", skipped("")}}));
  EXPECT_TRUE(any_failed({{"A6", passed("")}, {"A7", failed("")}}));
}

TEST(VerifyReport, RunThatEndsEarlyFailsInTheItemThatWasNext) {
  Outcomes live = {{"A1", passed("")}};
  note_end(live, false, "Redis is gone");
  EXPECT_EQ(live.at("A2").result, Result::fail);
  EXPECT_THAT(live.at("A2").evidence, HasSubstr("Redis is gone"));
  EXPECT_EQ(live.size(), 2u);
  Outcomes local;
  note_end(local, true, "no redis-server");
  ASSERT_EQ(local.size(), 1u);
  for (const auto& item : plan())
    if (item.id == local.begin()->first) EXPECT_THAT(item.not_local, IsEmpty());
  EXPECT_TRUE(any_failed(local));
}

TEST(VerifyCommand, ReportIsWrittenAlsoWhereRedisIsDown) {
  ScratchFolder folder;
  const auto report = folder.path() + "/report.md";
  const Ran ran = run_program({.arguments = {"verify", "--json", "--report", report},
                               .environment = {{"HOME", folder.path()},
                                               {"REDIS_URL", "redis://127.0.0.1:1"},
                                               {"HUB_URL", "http://127.0.0.1:1"}}});
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  const auto document = parse_json(ran.out, "verify");
  for (const auto& item : array_field(document, "items")) {
    const auto id = string_field(item, "id").value_or("");
    if (id == "A6" || id == "A16" || id == "A25")
      EXPECT_EQ(string_field(item, "result"), "fail") << id;
  }
  std::ifstream file(report);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("| A6 |"));
}

TEST(VerifyCommand, WrongUsageEndsWith64AndNoSystemWith69) {
  ScratchFolder folder;
  EXPECT_EQ(run_program({.arguments = {"verify", "--nonsense"}}).exit_code, 64);
  const Ran nowhere = run_program(
      {.arguments = {"verify", "--data", folder.path()}, .environment = {{"HOME", folder.path()}}});
  EXPECT_EQ(nowhere.exit_code, 69);
  EXPECT_THAT(nowhere.err, HasSubstr("nothing runs there"));
}

}  // namespace
}  // namespace botburrow::cli::verify
