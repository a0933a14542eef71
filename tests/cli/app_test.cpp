#include "cli/app.hpp"

#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "run_program.hpp"

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::ptrdiff_t lines_of(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

struct BadLine {
  std::vector<std::string> arguments;
  std::string part;
};

class UsageError : public testing::TestWithParam<BadLine> {};

TEST_P(UsageError, IsOneLineWithAHintAndExits64) {
  const Ran ran = run_program({.arguments = GetParam().arguments});
  EXPECT_EQ(ran.exit_code, 64);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(lines_of(ran.err), 1) << ran.err;
  EXPECT_THAT(ran.err, StartsWith("error: "));
  EXPECT_THAT(ran.err, HasSubstr("--help"));
  EXPECT_THAT(ran.err, HasSubstr(GetParam().part));
}

INSTANTIATE_TEST_SUITE_P(
    CommandLine, UsageError,
    testing::Values(
        BadLine{{}, "a command is missing"}, BadLine{{"nonsense"}, "unknown command \"nonsense\""},
        BadLine{{"statsu"}, "did you mean \"status\""},
        BadLine{{"nonsense", "--help"}, "unknown command \"nonsense\""},
        BadLine{{"config", "--servce"}, "did you mean \"--service\""},
        BadLine{{"--nonsense"}, "unknown flag --nonsense"},
        BadLine{{"config", "--nonsense"}, "unknown flag --nonsense"},
        BadLine{{"config", "--service", "nobody"}, "nobody"}, BadLine{{"validate"}, "path"},
        BadLine{{"hub", "post"}, "text"}, BadLine{{"hub", "inbox", "--limit", "0"}, "--limit"},
        BadLine{{"completion", "tcsh"}, "tcsh"}, BadLine{{"hub", "nonsense\nline"}, "nonsense"}));

TEST(CommandLine, EveryCommandHasHelp) {
  Context context;
  const auto app = make_app(context);
  std::vector<std::vector<std::string>> chains = {{}};
  const auto every = [](const CLI::App*) { return true; };
  for (const CLI::App* command : app->get_subcommands(every)) {
    chains.push_back({command->get_name()});
    for (const CLI::App* inner : command->get_subcommands(every))
      chains.push_back({command->get_name(), inner->get_name()});
  }
  for (auto chain : chains) {
    chain.push_back("--help");
    const Ran ran = run_program({.arguments = chain});
    EXPECT_EQ(ran.exit_code, 0) << testing::PrintToString(chain);
    EXPECT_THAT(ran.out, HasSubstr("Usage: botburrow")) << testing::PrintToString(chain);
    EXPECT_EQ(ran.err, "");
  }
}

TEST(CommandLine, VersionIsOneLine) {
  const Ran ran = run_program({.arguments = {"--version"}});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, testing::MatchesRegex("botburrow [0-9]+\\.[0-9]+\\.[0-9]+ \\(.+\\)\n"));
}

TEST(CommandLine, AFullDiskIsNoSuccess) {
  // /dev/full takes nothing. The shell is only there to point stdout at it.
  const int status = std::system(BOTBURROW_PROGRAM " config --markdown >/dev/full 2>/dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(ExitCodes, FollowTheTable) {
  EXPECT_EQ(exit_code_of(errc::usage), 64);
  EXPECT_EQ(exit_code_of(errc::bad_input), 65);
  EXPECT_EQ(exit_code_of(errc::definition_invalid), 65);
  EXPECT_EQ(exit_code_of(errc::port_in_use), 69);
  EXPECT_EQ(exit_code_of(errc::http_unavailable), 69);
  EXPECT_EQ(exit_code_of(errc::redis_unavailable), 69);
  EXPECT_EQ(exit_code_of(errc::internal), 70);
  EXPECT_EQ(exit_code_of(errc::bad_settings), 78);
  EXPECT_EQ(exit_code_of(errc::timeout), 124);
  EXPECT_EQ(exit_code_of(errc::hub_auth), 1);
}

TEST(ExitCodes, AFailureIsOneLineWithoutControlCharacters) {
  testing::internal::CaptureStderr();
  const int code = report_failure(
      std::make_exception_ptr(Error(errc::port_in_use, "port 80\nis \x1b[31mtaken")));
  EXPECT_EQ(code, 69);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: port 80 is [31mtaken\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(report_failure(std::make_exception_ptr(std::runtime_error("oops"))), 70);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: unexpected failure: oops\n");
  EXPECT_EQ(report_failure(std::make_exception_ptr(Exit(2))), 2);
}

TEST(Output, TextOfStrangersCannotDriveTheTerminal) {
  EXPECT_EQ(printable("a\x1b]0;x\x07\tb\r\n"), "a]0;x\tb\n");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "31m");  // CSI as one character
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "ab");  // right-to-left override
  EXPECT_EQ(printable("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("é"), 1u);
}

}  // namespace
}  // namespace botburrow::cli
