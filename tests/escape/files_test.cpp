// Ways out through files.
#include "tests/escape/escape_world.hpp"

#include <fmt/format.h>

#include <thread>

namespace botburrow::escape {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using EscapeFiles = EscapeTest;

TEST_F(EscapeFiles, NoPathOfATool) {
  write("a/b.txt", "x");
  const auto secret = (outside() / "secret.txt").string();
  const std::vector<std::string> paths{"../../outside/secret.txt",
                                       "a/../../../outside/secret.txt",
                                       "/workspace/../../outside/secret.txt",
                                       "../place-10/neighbour.txt",
                                       "a/../../place-10/neighbour.txt",
                                       "..",
                                       "../..",
                                       secret,
                                       "//" + secret,
                                       "/proc/self/environ",
                                       "a/./../../place-10/neighbour.txt"};
  for (const auto& path : paths) {
    EXPECT_THAT(read(path), StartsWith("Error: ")) << path;
    EXPECT_THAT(call("Edit", {{"file_path", path}, {"old_text", "C"}, {"new_text", "x"}}),
                StartsWith("Error: "))
        << path;
    EXPECT_THAT(call("Grep", {{"pattern", "."}, {"path", path}}),
                AnyOf(StartsWith("Error: "), StartsWith("No matches")))
        << path;
  }
  for (const auto* path : {"../../outside/new.txt", "../place-10/new.txt", "../new.txt"})
    EXPECT_THAT(write(path, "x"), HasSubstr("Path escapes workspace")) << path;
  for (const auto* pattern : {"../**", "/**", "a/../../**", "../place-10/*"})
    EXPECT_THAT(call("Glob", {{"pattern", pattern}}), StartsWith("Error: ")) << pattern;
}

TEST_F(EscapeFiles, NoPathOfACommand) {
  const auto root_path = root().string();
  const std::vector<std::string> paths{root_path + "/outside/secret.txt",
                                       root_path + "/ws/place-10/neighbour.txt",
                                       "../ws/place-10/neighbour.txt",
                                       "../place-10/neighbour.txt",
                                       "/proc/1/root" + root_path + "/outside/secret.txt",
                                       "/proc/self/root" + root_path + "/outside/secret.txt",
                                       fmt::format("/proc/{}/environ", ::getpid()),
                                       fmt::format("/proc/{}/root/etc/shadow", ::getpid()),
                                       "/proc/1/environ",
                                       "/proc/1/mem",
                                       "/proc/kcore",
                                       "/etc/shadow",
                                       "/root/.ssh/id_rsa",
                                       "/dev/mem",
                                       "/dev/vda",
                                       "/mnt/workspace",
                                       "/sys/kernel/mm"};
  for (const auto& path : paths) {
    EXPECT_THAT(bash(fmt::format("head -c 100 {0} && echo OPEN; ls {0}/ && echo OPEN", path)),
                Not(HasSubstr("OPEN")))
        << path;
  }
  for (const auto& path : {root_path + "/outside/x", std::string("/usr/x"), std::string("/etc/x"),
                           std::string("/x"), std::string("/dev/x"), std::string("/bin/x"),
                           std::string("/proc/sys/kernel/hostname"), std::string("/etc/passwd"),
                           std::string("/proc/self/oom_score_adj/../../sys/vm/drop_caches")}) {
    EXPECT_THAT(bash(fmt::format("echo x > {} && echo OPEN", path)), Not(HasSubstr("OPEN")))
        << path;
  }
}

TEST_F(EscapeFiles, NoSymbolicLinkMadeInside) {
  const auto root_path = root().string();
  bash(
      fmt::format("ln -s {0}/outside/secret.txt l1; ln -s {0}/outside l2; ln -s ../place-10 l3; "
                  "ln -s / l4; ln -s /proc/self/root l5; ln -s /proc/1/cwd l6; ln -s .. l7; "
                  "mkdir d; ln -s ../../../outside/secret.txt d/l8; ln -s /proc/self/fd/0 l9",
                  root_path));
  for (const auto* path :
       {"l1", "l2/secret.txt", "l3/neighbour.txt", "l4/etc/passwd", "l5/etc/passwd", "l6", "l6/x",
        "l7/place-10/neighbour.txt", "d/l8", "l9", "l2", "l4"}) {
    EXPECT_THAT(read(path), StartsWith("Error: ")) << path;
    EXPECT_THAT(write(path, "x"), StartsWith("Error: ")) << path;
    EXPECT_THAT(call("Grep", {{"pattern", "."}, {"path", path}}), StartsWith("Error: ")) << path;
  }
  EXPECT_THAT(write("l2/new.txt", "x"), HasSubstr("Path escapes workspace"));
  EXPECT_THAT(write("l4/tmp/new.txt", "x"), HasSubstr("Path escapes workspace"));
  EXPECT_EQ(call("Grep", {{"pattern", "CANARY|root:"}}), "No matches found.");
  EXPECT_THAT(call("Glob", {{"pattern", "**/neighbour.txt"}}), StartsWith("No files found"));
}

TEST_F(EscapeFiles, NoHardLink) {
  EXPECT_THAT(
      bash(fmt::format("ln /usr/bin/id stolen && echo OPEN; ln {}/outside/secret.txt s && "
                       "echo OPEN; ln /etc/passwd p && echo OPEN; ln -P /proc/self/exe e && "
                       "echo OPEN; ls",
                       root().string())),
      Not(HasSubstr("OPEN")));
}

// Nothing inside can make one to a file outside; were one there, it would be replaced, never
// written through, however fast it changes its name.
TEST_F(EscapeFiles, NoRaceOfHardLinks) {
  write("mine.txt", "mine");
  const auto target = outside() / "folder/file.txt";
  const auto other = inside() / "other.txt", mine = inside() / "mine.txt";
  {
    const auto turner = std::jthread([&](std::stop_token stop) {
      while (!stop.stop_requested()) {
        std::error_code ignored;
        fs::create_hard_link(target, other, ignored);
        ::renameat2(AT_FDCWD, other.c_str(), AT_FDCWD, mine.c_str(), RENAME_EXCHANGE);
      }
    });
    for (int round = 0; round < 300; ++round) {
      write("mine.txt", "mine");
      call("Edit", {{"file_path", "mine.txt"}, {"old_text", "outside"}, {"new_text", "CHANGED"}});
    }
  }
  EXPECT_EQ(sandbox::got(target), "outside");
  fs::remove(other);
  fs::remove(mine);
}

// A program inside turns a link as fast as it can while the runner reads and writes through it.
TEST_F(EscapeFiles, NoRaceOfLinks) {
  write("room/secret.txt", "inside");
  bash(fmt::format("ln -s {}/outside trap", root().string()));
  bash("ln -s room door");
  const auto turner = std::jthread([&](std::stop_token stop) {
    // Not through the tools: they come one at a time.
    const auto door = inside() / "door", trap = inside() / "trap";
    while (!stop.stop_requested())
      ::renameat2(AT_FDCWD, door.c_str(), AT_FDCWD, trap.c_str(), RENAME_EXCHANGE);
  });
  int inside_count = 0, refused = 0;
  for (int round = 0; round < 1500; ++round) {
    const auto text = read("door/secret.txt");
    ASSERT_THAT(text, AnyOf("inside", StartsWith("Error: Path escapes")));
    ++(text == "inside" ? inside_count : refused);
    write("door/planted.txt", "x");
    call("Edit", {{"file_path", "door/secret.txt"}, {"old_text", "CANARY"}, {"new_text", "x"}});
    call("Grep", {{"pattern", "CANARY"}, {"path", "door"}});
  }
  EXPECT_GT(inside_count, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(EscapeFiles, NoPipeHoldsARunnerAndNoDeviceCanBeMade) {
  bash("mkfifo pipe; mkdir d; mkfifo d/pipe");
  EXPECT_THAT(bash("mknod null c 1 3 && echo OPEN; mknod disk b 254 0 && echo OPEN; ls"),
              Not(HasSubstr("OPEN")));
  EXPECT_EQ(read("pipe"), "Error: Not a file: pipe");
  EXPECT_EQ(write("pipe", "x"), "Error: Not a file: pipe");
  EXPECT_EQ(call("Edit", {{"file_path", "pipe"}, {"old_text", "a"}, {"new_text", "b"}}),
            "Error: Not a file: pipe");
  EXPECT_EQ(call("Grep", {{"pattern", "x"}}), "No matches found.");
  EXPECT_EQ(call("Grep", {{"pattern", "x"}, {"path", "pipe"}}), "Error: Not a file: pipe");
}

TEST_F(EscapeFiles, TheWorkspaceItselfCannotBeTakenAway) {
  bash("rm -rf -- /workspace; mv /workspace /w; rmdir /workspace; ln -sfn /etc /workspace");
  EXPECT_EQ(write("after.txt", "still here"), "File written: after.txt");
  EXPECT_EQ(bash("cat after.txt"), "still here");
  bash("chmod 0000 /workspace");
  // Whether it can be read then depends on who the runner is; that it goes, must not.
}

TEST_F(EscapeFiles, ATreeMadeToBeUnremovableGoes) {
  bash("for i in $(seq 1 400); do mkdir d && cd d || break; done; echo x > bottom");
  bash("mkdir -p wide && cd wide && for i in $(seq 1 3000); do : > $i; done");
  bash("mkdir -p locked/in && echo x > locked/in/f && chmod 0 locked/in/f locked/in locked");
  bash("ln -s loop loop; ln -s . self; mkfifo p; touch -- '-rf' ' ' $'new\\nline' '*'");
}

TEST_F(EscapeFiles, FilesMadeInsideAreNobodysOutside) {
  bash("cp /bin/bash shell; chmod 6755 shell; ls -l shell");
  struct stat seen{};
  ASSERT_EQ(::stat((inside() / "shell").c_str(), &seen), 0);
  if (::geteuid() == 0) EXPECT_NE(seen.st_uid, 0U);
  EXPECT_THAT(bash("./shell -p -c id"), HasSubstr("uid=1000(agent) gid=1000(agent)"));
}

}  // namespace
}  // namespace botburrow::escape
