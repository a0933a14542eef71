// Ways out through the words of a command: an agent without a shell must not get one.
#include "tests/escape/escape_world.hpp"

#include <fmt/format.h>

namespace botburrow::escape {
namespace {

using ::testing::AnyOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class EscapeCommands : public EscapeTest {
 protected:
  EscapeCommands() { allow({}); }
  bool planted() const { return std::filesystem::exists(inside() / "planted"); }
};

TEST_F(EscapeCommands, NoMetacharacterStartsAnything) {
  write("x", "x");
  for (const auto* command : {"echo x; touch planted",
                              "echo x && touch planted",
                              "echo x || touch planted",
                              "echo x | touch planted",
                              "echo x & touch planted",
                              "echo `touch planted`",
                              "echo $(touch planted)",
                              "echo x\ntouch planted",
                              "echo x > planted",
                              "cat < /etc/passwd",
                              "echo \"$(touch planted)\"",
                              "echo \"`touch planted`\"",
                              "(touch planted)",
                              "{ touch planted; }",
                              "!touch planted",
                              "echo x >> planted",
                              "echo x 2>planted",
                              "PATH=. echo",
                              "cat <(touch planted)",
                              "echo $((a[$(touch planted)]))",
                              "\ntouch planted",
                              "echo x;touch${IFS}planted",
                              "touch planted",
                              "/usr/bin/touch planted",
                              "./planted",
                              "'touch' planted",
                              "t'ou'ch planted",
                              "\\touch planted",
                              "env touch planted",
                              "xargs touch planted",
                              "busybox touch planted",
                              "exec touch planted",
                              "command touch planted",
                              "time touch planted",
                              "nohup touch planted",
                              "eval touch planted",
                              "source x",
                              ". x",
                              "bash -c 'touch planted'",
                              "sh -c 'touch planted'",
                              "python3 -c 'open(\"planted\",\"w\")'",
                              "perl -e 'open(F,\">planted\")'",
                              "awk 'BEGIN{system(\"touch planted\")}'",
                              "find . -exec touch planted {} +",
                              "tar cf /dev/null x --checkpoint-action=exec=touch",
                              "ssh localhost touch planted",
                              "su -c 'touch planted'",
                              "setsid touch planted"}) {
    bash(command);
    EXPECT_FALSE(planted()) << command;
  }
}

// Some of the harmless programs start others if they are told to.
TEST_F(EscapeCommands, NoFlagOfAnAllowedProgramStartsAnother) {
  write("evil.sh", "#!/bin/sh\ntouch /workspace/planted\n");
  write("numbers", [] {
    std::string text;
    for (int line = 0; line < 20'000; ++line)
      text += std::to_string(line * 7919 % 20'011) + "\n";
    return text;
  }());
  // The tools do not set the right to run; who can is an agent with another program.
  std::filesystem::permissions(inside() / "evil.sh", std::filesystem::perms(0755));
  for (const auto* command : {"sort -S 1k --compress-program=./evil.sh numbers -o out",
                              "sort -S 1k --compress-prog=/workspace/evil.sh numbers",
                              "sort -S 1k --compress-program=/usr/bin/gzip numbers -o zipped",
                              "diff -l numbers evil.sh", "diff --paginate numbers evil.sh"}) {
    bash(command);
    EXPECT_FALSE(planted()) << command;
  }
  EXPECT_THAT(bash("sort -S 1k --compress-program=/usr/bin/id numbers"), Not(HasSubstr("uid=")));
}

TEST_F(EscapeCommands, NoFlagReachesOutside) {
  const auto secret = (outside() / "secret.txt").string();
  for (const auto& command : std::vector<std::string>{
           "cat " + secret, "head " + secret, "tail --retry -n 1 " + secret, "date -f " + secret,
           "sort --files0-from=" + secret, "wc --files0-from=" + secret, "sort -T / numbers",
           "sha256sum -c " + secret, "diff --from-file=" + secret + " x", "stat " + secret,
           "sort -o " + secret + " x", "ls -R " + root().string(), "cat /proc/1/environ",
           "sort -o /etc/passwd x", "uniq x " + secret, "date --set=2020-01-01", "cat --help",
           "date -r " + secret, "cat -- -rf"}) {
    EXPECT_THAT(bash(command), Not(HasSubstr("OPEN"))) << command;
  }
}

TEST_F(EscapeCommands, NoEnvironmentReachesAProgram) {
  write("lib.so", "not a library");
  for (const auto* command :
       {"LD_PRELOAD=./lib.so ls", "BASH_ENV=./x ls", "env LD_PRELOAD=./lib.so ls", "export A=1",
        "PATH=/workspace ls", "IFS=x ls", "declare -x A=1", "ENV=./x ls", "PROMPT_COMMAND=id ls"}) {
    EXPECT_THAT(bash(command), AnyOf(HasSubstr("shell syntax"), HasSubstr("not among the allowed")))
        << command;
  }
  // A program by the name of an allowed one, where a path of ours could find it.
  write("ls", "#!/bin/sh\ntouch /workspace/planted\n");
  std::filesystem::permissions(inside() / "ls", std::filesystem::perms(0755));
  bash("ls");
  EXPECT_FALSE(planted());
}

TEST_F(EscapeCommands, NoStartFileIsRead) {
  for (const auto* file : {".bashrc", ".profile", ".bash_profile", ".shrc", ".env", ".zshenv"})
    write(file, "touch /workspace/planted\n");
  allow({.allowed_commands = {"bash", "sh"}});
  EXPECT_EQ(bash("echo fine"), "fine\n");
  EXPECT_FALSE(planted());
}

TEST_F(EscapeCommands, ALineForAShellIsOneArgument) {
  allow({.allowed_commands = {"bash"}});
  EXPECT_EQ(bash("echo \"$0\" \"$#\""), "bash 0\n");
  EXPECT_EQ(bash("--version"), "Error: bash: line 1: --version: command not found\n");
  EXPECT_THAT(bash("-c id"), Not(HasSubstr("uid=")));
}

}  // namespace
}  // namespace botburrow::escape
