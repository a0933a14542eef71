// `status --watch`, in a terminal and into a pipe.
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>

#include <filesystem>

namespace botburrow::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

class Watch : public World {
 protected:
  Program& watch(Words more = {}) {
    Words words = {"status", "--watch", "--interval", "1", "--data", data()};
    words.insert(words.end(), more.begin(), more.end());
    programs_.push_back(std::make_unique<Program>(
        io_, Program::Options{.path = BOTBURROW_PROGRAM, .arguments = std::move(words)}));
    return *programs_.back();
  }
  std::vector<std::unique_ptr<Program>> programs_;
};

TEST_F(Watch, IntoAPipeItPrintsOneBlockAfterAnotherUntilCtrlC) {
  define_agent("anna");
  up();
  auto& people = watch();
  auto& scripts = watch({"--json"});
  eventually("three blocks", [&] {
    return count_of(people.out(), "leader ") >= 3 && count_of(scripts.out(), "\n") >= 3;
  });
  for (auto* program : {&people, &scripts}) {
    program->signal(SIGINT);
    EXPECT_EQ(program->wait(), 130);
    EXPECT_THAT(program->out(), Not(HasSubstr("\x1b"))) << "nothing for terminals";
  }
  EXPECT_GE(count_of(people.out(), "\n\n"), 2u);
  std::istringstream lines(scripts.out());
  for (std::string line; std::getline(lines, line);)
    EXPECT_TRUE(try_parse_json(line)) << line;
}

TEST_F(Watch, InATerminalItDrawsInPlaceAndPutsTheTerminalBack) {
  if (!std::filesystem::exists("/usr/bin/script")) GTEST_SKIP() << "needs script";
  define_agent("anna");
  up();
  const auto command =
      fmt::format("timeout --foreground -s INT 4 {} status --watch --interval 1 --data {}",
                  BOTBURROW_PROGRAM, data());
  const auto ran = run_other("/usr/bin/script", {"-qec", command, "/dev/null"},
                             {{"TERM", "xterm"}, {"PATH", "/usr/bin:/bin"}, {"SHELL", "/bin/sh"}});
  EXPECT_GE(count_of(ran.out, "\x1b[H"), 2u) << "drawn again and again";
  EXPECT_EQ(count_of(ran.out, "\x1b[2J"), 1u) << "cleared once only";
  EXPECT_GE(count_of(ran.out, "leader "), 2u);
  EXPECT_THAT(ran.out, HasSubstr("\x1b[?7h\x1b[?25h"));
}

TEST_F(Watch, ShowsASystemThatIsAwayAndComesBack) {
  define_agent("anna");
  auto& first = up();
  auto& watching = watch();
  eventually("a block", [&] { return count_of(watching.out(), "leader ") >= 1; });
  first.signal(SIGTERM);
  first.wait();
  eventually("it is said to be away",
             [&] { return watching.out().find("no connection to") != std::string::npos; });
  const auto seen = count_of(watching.out(), "leader ");
  up();
  eventually("and is there again", [&] { return count_of(watching.out(), "leader ") > seen; });
  watching.signal(SIGINT);
  EXPECT_EQ(watching.wait(), 130);
}

}  // namespace
}  // namespace botburrow::e2e
