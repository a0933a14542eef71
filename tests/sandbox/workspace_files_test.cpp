#include "sandbox/workspace_files.hpp"

#include "tests/sandbox/temporary_root.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <thread>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;
using Kind = FileFault::Kind;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// A workspace `w` between two neighbours: `secret.txt` beside it, and `w2` whose name begins alike.
class WorkspaceFilesTest : public ::testing::Test {
 protected:
  WorkspaceFilesTest() {
    fs::create_directories(inside);
    put(root.path() / "secret.txt", "secret");
    put(root.path() / "w2/near.txt", "neighbour");
    make(std::uint64_t{1} << 20);
  }
  void make(std::uint64_t quota) {
    folder = net::UniqueFd(::open(inside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    files.emplace(folder.get(), Owner{.uid = ::geteuid(), .gid = ::getegid()}, quota);
  }
  FileResult<std::string> read(std::string_view path) {
    const auto lines = files->read_lines(path, {}, patience());
    if (!lines) return std::unexpected(lines.error());
    return lines->text;
  }
  Kind fault_of_reading(std::string_view path) {
    const auto text = read(path);
    EXPECT_FALSE(text) << path << " was read";
    return text ? Kind::io : text.error().kind;
  }
  Kind fault_of_writing(std::string_view path) {
    const auto done = files->write(path, "x", patience());
    EXPECT_FALSE(done) << path << " was written";
    return done ? Kind::io : done.error().kind;
  }
  std::vector<std::string> seen(std::string_view start = ".") {
    std::vector<std::string> paths;
    EXPECT_TRUE(files->look(start, patience(), [&](const WalkedEntry& entry) {
      paths.push_back(entry.path);
      return true;
    }));
    return paths;
  }

  TemporaryRoot root;
  fs::path inside = root.path() / "w";
  net::UniqueFd folder;
  std::optional<WorkspaceFiles> files;
};

TEST_F(WorkspaceFilesTest, WhatWasWrittenIsReadBackUnderEachFormOfItsPath) {
  ASSERT_TRUE(files->write("notes/today.md", "hello\n", patience()));

  for (const auto* path : {"notes/today.md", "/notes/today.md", "/workspace/notes/today.md",
                           "./notes/../notes/today.md"})
    EXPECT_EQ(read(path), "hello\n") << path;
  EXPECT_EQ(got(inside / "notes/today.md"), "hello\n");
}

TEST_F(WorkspaceFilesTest, NoPathLeadsOut) {
  put(inside / "real.txt", "fine");
  fs::create_directories(inside / "sub");
  fs::create_symlink("../secret.txt", inside / "link");
  fs::create_symlink("..", inside / "up");
  fs::create_symlink(root.path(), inside / "absolute");
  fs::create_symlink("/proc/self/root", inside / "magic");
  fs::create_symlink("/", inside / "slash");
  fs::create_symlink("circle", inside / "circle");

  for (const auto* path :
       {"../secret.txt", "sub/../../secret.txt", "../w2/near.txt", "..", "/../secret.txt",
        "/workspace/../../secret.txt", "link", "up/secret.txt", "absolute/secret.txt",
        "magic/etc/passwd", "slash/etc/passwd", "circle", "sub/../up/secret.txt"}) {
    EXPECT_EQ(fault_of_reading(path), Kind::escapes) << path;
  }
  EXPECT_EQ(read("../secret.txt").error().text, "Path escapes workspace: ../secret.txt");
  for (const auto* path : {"../new.txt", "up/new.txt", "absolute/new.txt", "slash/tmp/new.txt",
                           "magic/tmp/new.txt", "sub/../../new.txt", "../w2/near.txt"}) {
    EXPECT_EQ(fault_of_writing(path), Kind::escapes) << path;
  }
  EXPECT_EQ(got(root.path() / "w2/near.txt"), "neighbour");
  EXPECT_FALSE(fs::exists(root.path() / "new.txt"));
}

TEST_F(WorkspaceFilesTest, ALeadingSlashIsTheWorkspace) {
  EXPECT_EQ(fault_of_reading("/etc/passwd"), Kind::not_found);
  ASSERT_TRUE(files->write("/etc/passwd", "mine", patience()));
  EXPECT_EQ(got(inside / "etc/passwd"), "mine");
}

TEST_F(WorkspaceFilesTest, ALinkThatStaysInsideIsFollowedForReadingOnly) {
  put(inside / "real.txt", "fine");
  fs::create_symlink("real.txt", inside / "alias");

  EXPECT_EQ(read("alias"), "fine");
  EXPECT_EQ(fault_of_writing("alias"), Kind::not_a_file);
  EXPECT_EQ(got(inside / "real.txt"), "fine");
}

TEST_F(WorkspaceFilesTest, OnlyRegularFilesAreReadOrReplaced) {
  ASSERT_EQ(::mkfifo((inside / "pipe").c_str(), 0600), 0);
  fs::create_directories(inside / "folder");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX};
  const auto name = (inside / "socket").string();
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  if (::geteuid() == 0)
    ASSERT_EQ(::mknod((inside / "null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  else
    fs::create_directories(inside / "null");

  for (const auto* path : {"pipe", "folder", "socket", "null"}) {
    // A device may be out of reach of the file system it lies on.
    EXPECT_THAT(fault_of_reading(path), AnyOf(Kind::not_a_file, Kind::refused)) << path;
    EXPECT_EQ(fault_of_writing(path), Kind::not_a_file) << path;
  }
  EXPECT_EQ(read("folder").error().text, "Not a file: folder");
  ::close(listener);
}

TEST_F(WorkspaceFilesTest, OddPathsAreRefused) {
  EXPECT_EQ(fault_of_reading(std::string_view("a\0b", 3)), Kind::bad_path);
  EXPECT_EQ(fault_of_reading(std::string(1001, 'a')), Kind::bad_path);
  EXPECT_EQ(fault_of_reading(std::string(1000, 'a')), Kind::bad_path);  // One name that long.
  EXPECT_EQ(fault_of_reading(""), Kind::not_a_file);
  for (const auto* path : {"", "/", ".", "/workspace", "folder/", "folder/."})
    EXPECT_EQ(fault_of_writing(path), Kind::not_a_file) << path;
  EXPECT_EQ(read("none.txt").error().text, "File not found: none.txt");
}

TEST_F(WorkspaceFilesTest, AFileInTheWayOfAFolderIsAFault) {
  put(inside / "a", "file");
  EXPECT_EQ(fault_of_writing("a/b"), Kind::not_found);
  EXPECT_EQ(got(inside / "a"), "file");
}

TEST_F(WorkspaceFilesTest, WritingReplacesAsAWholeAndKeepsTheMode) {
  put(inside / "run.sh", "old");
  fs::permissions(inside / "run.sh", fs::perms(0755));
  const int before = ::open((inside / "run.sh").c_str(), O_RDONLY | O_CLOEXEC);

  ASSERT_TRUE(files->write("run.sh", "new", patience()));

  char old[8] = {};
  EXPECT_EQ(::read(before, old, sizeof old), 3);
  EXPECT_STREQ(old, "old");  // Who had it open sees no half-written text.
  ::close(before);
  EXPECT_EQ(fs::status(inside / "run.sh").permissions(), fs::perms(0755));
  EXPECT_THAT(seen(), ElementsAre("run.sh"));  // No draft is left.
}

TEST_F(WorkspaceFilesTest, LinesAreTakenFromTheMiddle) {
  put(inside / "n.txt", "1\n2\n3\n4\n5");
  const auto lines = [&](LineRange range) {
    return files->read_lines("n.txt", range, patience())->text;
  };
  EXPECT_EQ(lines({.first = 2, .count = 2}), "2\n3\n");
  EXPECT_EQ(lines({.first = 5, .count = 10}), "5");
  EXPECT_EQ(lines({.first = 6}), "");
  EXPECT_EQ(lines({.first = 1, .count = 0}), "");
  EXPECT_EQ(lines({}), "1\n2\n3\n4\n5");
}

TEST_F(WorkspaceFilesTest, LinesAreTheSameWhereverThePiecesOfTheFileEnd) {
  std::string text;
  for (int line = 1; line <= 40'000; ++line)
    text += std::to_string(line) + "\n";
  put(inside / "long.txt", text);

  const auto lines = files->read_lines("long.txt", {.first = 39'999}, patience());

  EXPECT_EQ(lines->text, "39999\n40000\n");
  EXPECT_FALSE(lines->more);
}

TEST_F(WorkspaceFilesTest, ALongFileIsCutAndSaysSo) {
  put(inside / "long.txt", std::string(300'000, 'x'));
  const auto lines = files->read_lines("long.txt", {.bytes_max = 1000}, patience());

  EXPECT_EQ(lines->text.size(), 1000U);
  EXPECT_TRUE(lines->more);
  EXPECT_EQ(lines->file_bytes, 300'000U);
  EXPECT_EQ(files->read_all("long.txt", 1000).error().kind, Kind::quota);
}

TEST_F(WorkspaceFilesTest, BinaryFilesAreNotShown) {
  put(inside / "b", std::string("MZ\0\1", 4));
  const auto lines = files->read_lines("b", {}, patience());
  EXPECT_TRUE(lines->binary);
  EXPECT_EQ(lines->text, "");
}

TEST_F(WorkspaceFilesTest, TheQuotaHoldsAndRoomThatWasMadeCounts) {
  make(64 * 1024);
  ASSERT_TRUE(files->write("a", std::string(40'000, 'a'), patience()));
  EXPECT_EQ(files->write("b", std::string(40'000, 'b'), patience()).error().kind, Kind::quota);
  EXPECT_FALSE(fs::exists(inside / "b"));
  // The same file again is no second one.
  for (int again = 0; again < 5; ++again)
    ASSERT_TRUE(files->write("a", std::string(20'000, 'c'), patience())) << again;
  fs::remove(inside / "a");
  EXPECT_TRUE(files->write("b", std::string(40'000, 'b'), patience()));
}

TEST_F(WorkspaceFilesTest, EmptyFilesAreNotFree) {
  make(64 * 1024);
  for (int at = 0; at < 17; ++at)
    put(inside / std::to_string(at), "");
  EXPECT_TRUE(files->over_quota(0, patience()));
}

TEST_F(WorkspaceFilesTest, ASizeThatCannotBeMeasuredIsTooLarge) {
  EXPECT_TRUE(files->measure(patience()));
  EXPECT_FALSE(files->measure(patience(std::chrono::seconds(0))));
  // Deeper than the kernel takes paths.
  int at = ::open(inside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::string name(200, 'd');
  for (int depth = 0; depth < 30; ++depth) {
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0700), 0);
    const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::close(at);
    at = next;
  }
  ::close(at);
  make(std::uint64_t{1} << 30);
  EXPECT_TRUE(files->over_quota(0, patience()));
}

TEST_F(WorkspaceFilesTest, AFolderThatIsClosedToTheRunnerHidesNothing) {
  put(inside / "closed/big.txt", std::string(40'000, 'x'));
  put(inside / "unlisted/big.txt", std::string(40'000, 'x'));
  EXPECT_FALSE(files->over_quota(0, patience()));
  for (const auto& [folder, mode] : {std::pair("closed", 0000), std::pair("unlisted", 0444)}) {
    fs::permissions(inside / folder, fs::perms(mode));
    const bool is_root = ::geteuid() == 0;
    // Root may look into everything; a runner that is not root has the user of its programs.
    for (const auto& path : {inside, inside / "closed", inside / "unlisted"}) {
      if (is_root) {
        ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
      }
    }
    if (is_root) {
      ASSERT_EQ(::seteuid(kNobody), 0);
    }
    EXPECT_TRUE(files->over_quota(0, patience())) << folder;
    if (is_root) {
      ASSERT_EQ(::seteuid(0), 0);
    }
    fs::permissions(inside / folder, fs::perms(0755));
  }
  EXPECT_FALSE(files->over_quota(0, patience()));
}

TEST_F(WorkspaceFilesTest, TheWalkIsInOrderAndDoesNotFollowLinks) {
  put(inside / "b.txt", "");
  put(inside / "a/z.txt", "");
  put(inside / "a/c/d.txt", "");
  fs::create_symlink("..", inside / "a/up");
  fs::create_symlink(root.path(), inside / "out");

  EXPECT_THAT(seen(), ElementsAre("a", "b.txt", "out", "a/c", "a/up", "a/z.txt", "a/c/d.txt"));
  EXPECT_THAT(seen("/workspace/a/c"), ElementsAre("a/c/d.txt"));
  EXPECT_THAT(seen("b.txt"), ElementsAre("b.txt"));
}

// While one thread turns `door` from a folder into a link to the outside and back, as fast as it
// can, reads and writes through it never reach the outside.
TEST_F(WorkspaceFilesTest, ARaceOfLinksOpensNothing) {
  fs::create_directories(inside / "room");
  put(inside / "room/secret.txt", "inside");
  fs::create_symlink(root.path(), inside / "trap");
  fs::create_symlink("room", inside / "door");
  std::atomic<bool> done{false};
  std::jthread turner([&] {
    const auto door = inside / "door", trap = inside / "trap";
    while (!done)
      ::renameat2(AT_FDCWD, door.c_str(), AT_FDCWD, trap.c_str(), RENAME_EXCHANGE);
  });

  int read_inside = 0, refused = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto text = read("door/secret.txt");
    if (!text) {
      ++refused;
    } else {
      ASSERT_EQ(*text, "inside");
      ++read_inside;
    }
    (void)files->write("door/planted.txt", "x", patience());
    (void)files->write("door/deep/planted.txt", "x", patience());
  }
  done = true;

  EXPECT_GT(read_inside, 0);
  EXPECT_GT(refused, 0);
  EXPECT_FALSE(fs::exists(root.path() / "planted.txt"));
  EXPECT_FALSE(fs::exists(root.path() / "deep"));
}

// A file that changes places with a pipe must neither hold us nor pass for a file.
TEST_F(WorkspaceFilesTest, ARaceOfPipesHoldsNobody) {
  put(inside / "x", "text");
  ASSERT_EQ(::mkfifo((inside / "pipe").c_str(), 0600), 0);
  std::atomic<bool> done{false};
  std::jthread turner([&] {
    const auto one = inside / "x", other = inside / "pipe";
    while (!done)
      ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
  });
  for (int round = 0; round < 5000; ++round) {
    const auto text = read("x");
    if (text)
      ASSERT_EQ(*text, "text");
    else
      ASSERT_EQ(text.error().kind, Kind::not_a_file);
  }
  done = true;
}

TEST(WorkspacePath, LosesWhatStandsForTheWorkspace) {
  EXPECT_EQ(workspace_path("a/b"), "a/b");
  EXPECT_EQ(workspace_path("/workspace"), ".");
  EXPECT_EQ(workspace_path("/workspace/"), ".");
  EXPECT_EQ(workspace_path("/workspace2/a"), "workspace2/a");
  EXPECT_EQ(workspace_path("workspace/a"), "workspace/a");
  EXPECT_EQ(workspace_path("///a"), "a");
  EXPECT_EQ(workspace_path(""), ".");
}

}  // namespace
}  // namespace botburrow::sandbox
