#include "base/json.hpp"
#include "base/settings.hpp"
#include "run_program.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

json::value row_of(const json::value& document, std::string_view name) {
  for (const json::value& row : array_field(document, "settings"))
    if (string_field(row, "name") == name) return row;
  return nullptr;
}

TEST(Config, ShowsEachValueWithItsSourceAndMasksSecrets) {
  const Ran ran =
      run_program({.arguments = {"config"},
                   .environment = {{"POLL_INTERVAL", "45"}, {"HUB_API_KEY", "0123456789abcdef"}}});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("NAME"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("POLL_INTERVAL +45 +environment"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("HUB_API_KEY +set \\(len 16\\) +environment"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("LEASE_SECONDS +10 +default"));
  EXPECT_THAT(ran.out, Not(HasSubstr("0123456789abcdef")));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b["))) << "no colour into a pipe";
}

TEST(Config, JsonHoldsSettingsProblemsAndWarnings) {
  const Ran ran =
      run_program({.arguments = {"config", "--json"},
                   .environment = {{"POLL_INTERVAL", "abc"}, {"BOTBURROW_POL_INTERVAL", "5"}}});
  EXPECT_EQ(ran.exit_code, 78);
  const json::value document = parse_json(ran.out, "answer");
  EXPECT_EQ(array_field(document, "problems").size(), 1u);
  EXPECT_EQ(array_field(document, "warnings").size(), 1u);
  const json::value row = row_of(document, "POLL_INTERVAL");
  EXPECT_EQ(string_field(row, "value"), "30");
  EXPECT_EQ(string_field(row, "default"), "30");
  EXPECT_EQ(string_field(row, "source"), "default");
}

TEST(Config, CheckRefusesWhatTheStartWouldRefuse) {
  for (const char* service : {"hub", "up"}) {
    const Ran ran = run_program(
        {.arguments = {service, "--check"}, .environment = {{"ADMIN_API_KEY_HASH", "zz"}}});
    EXPECT_EQ(ran.exit_code, 78) << service;
    EXPECT_THAT(ran.err, HasSubstr("config error: BOTBURROW_ADMIN_API_KEY_HASH (2 characters): "
                                   "expected the SHA-256 of the key as 64 hex digits"));
    EXPECT_EQ(ran.out, "") << service;
  }
}

TEST(Config, ProblemsGoToStderrOneLineEachAndEndWith78) {
  const Ran ran =
      run_program({.arguments = {"config"},
                   .environment = {{"POLL_INTERVAL", "abc"}, {"RUNNER_MODE", "inbox"}}});
  EXPECT_EQ(ran.exit_code, 78);
  EXPECT_EQ(
      ran.err,
      "config error: RUNNER_MODE=\"inbox\" (from environment): expected notification, exploration "
      "or hybrid\n"
      "config error: POLL_INTERVAL=\"abc\" (from environment): expected whole seconds 1..3600\n");
}

TEST(Config, AServiceShowsOnlyItsOwnAndKnowsWhatItRequires) {
  const Ran missing = run_program({.arguments = {"config", "--service", "coordinator"}});
  EXPECT_EQ(missing.exit_code, 78);
  EXPECT_THAT(missing.err,
              StartsWith("config error: HUB_URL is required (set HUB_URL or BOTBURROW_HUB_URL)"));
  const Ran ran = run_program({.arguments = {"config", "--service", "coordinator"},
                               .environment = {{"HUB_URL", "http://h"}}});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("POLL_INTERVAL"));
  EXPECT_THAT(ran.out, Not(HasSubstr("SANDBOX_MEMORY")));
}

TEST(Config, ReadsDotenvOfTheWorkingDirectory) {
  const ScratchFolder folder;
  folder.write(".env", "POLL_INTERVAL=7\n");
  const Ran ran = run_program({.arguments = {"config", "POLL_INTERVAL"}, .folder = folder.path()});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("value     7"));
  EXPECT_THAT(ran.out, HasSubstr("source    .env"));
  EXPECT_THAT(ran.out, HasSubstr("whole seconds 1..3600"));
}

TEST(Config, ReadsSecretsFromFiles) {
  const ScratchFolder folder;
  folder.write("key", "12345\n");
  const Ran good = run_program({.arguments = {"config", "HUB_API_KEY"},
                                .environment = {{"HUB_API_KEY_FILE", folder.path() + "/key"}}});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("set (len 5)"));
  const Ran bad = run_program(
      {.arguments = {"config"}, .environment = {{"HUB_API_KEY_FILE", folder.path() + "/none"}}});
  EXPECT_EQ(bad.exit_code, 78);
  EXPECT_THAT(bad.err, HasSubstr("cannot be read: No such file or directory"));
}

TEST(Config, MarkdownIsTheReference) {
  const Ran ran = run_program({.arguments = {"config", "--markdown"}});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_TRUE(ran.out == settings_markdown());
}

TEST(Config, AnUnknownSettingIsAUsageError) {
  const Ran ran = run_program({.arguments = {"config", "NO_SUCH"}});
  EXPECT_EQ(ran.exit_code, 64);
  EXPECT_THAT(ran.err, HasSubstr("NO_SUCH"));
}

}  // namespace
}  // namespace botburrow::cli
