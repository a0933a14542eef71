#include "sandbox/workspace.hpp"

#include "base/error.hpp"
#include "sandbox/place.hpp"
#include "sandbox/remove_tree.hpp"
#include "tests/sandbox/temporary_root.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const std::string kId = "6f1c1f5e-0a53-4f6b-9a51-0c6f6b1b2a33";
const std::string kOther = "11111111-2222-4333-8444-555555555555";

Owner self() {
  return {.uid = ::geteuid(), .gid = ::getegid()};
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename());
  return names;
}

bool removed(const fs::path& folder) {
  const int parent = ::open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool gone = remove_tree(parent, folder.filename());
  ::close(parent);
  return gone;
}

TEST(HeldFolder, IsOursAloneAndGoesWhole) {
  TemporaryRoot root;
  auto folder = HeldFolder::make(root.path() / "deep/root", kId, Owner::of_this_process());

  struct stat seen{};
  ASSERT_EQ(::stat(folder.path().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07777, 0700U);
  EXPECT_NE(seen.st_uid, 0U);  // Of a runner that is root too.
  put(folder.path() + "/a/b/c.txt", "x");
  EXPECT_TRUE(folder.remove());
  EXPECT_TRUE(folder.remove());
  EXPECT_THAT(names_in(root.path() / "deep/root"), IsEmpty());
}

TEST(HeldFolder, ANameThatIsTakenIsAnError) {
  TemporaryRoot root;
  const auto first = HeldFolder::make(root.path(), kId, self());
  try {
    HeldFolder::make(root.path(), kId, self());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::io);
    EXPECT_THAT(error.message(), HasSubstr(kId + ": File exists (see WORKSPACE_ROOT)"));
  }
}

TEST(Sweep, TakesWhatTheDeadLeftAndNothingElse) {
  TemporaryRoot root;
  const auto held = HeldFolder::make(root.path(), kId, self());
  put(root.path() / kOther / "left/over.txt", "x");
  put(root.path() / (kOther + ".home") / "cache", "x");
  fs::create_directories(root.path() / "not-an-activation");
  fs::create_directories(root.path() / "11111111-2222-4333-8444-55555555555g");
  put(root.path() / "22222222-2222-4333-8444-555555555555", "a file");
  fs::create_symlink(root.path() / "not-an-activation",
                     root.path() / "33333333-2222-4333-8444-555555555555");

  const auto swept = sweep_workspaces(root.path(), self());

  EXPECT_EQ(swept.removed, 2U);
  EXPECT_EQ(swept.left, 0U);
  EXPECT_THAT(names_in(root.path()),
              UnorderedElementsAre(kId, "not-an-activation", "11111111-2222-4333-8444-55555555555g",
                                   "22222222-2222-4333-8444-555555555555",
                                   "33333333-2222-4333-8444-555555555555"));
}

TEST(Sweep, LeavesAWorkspaceOfAnotherLivingProcessAndTakesItOnceThatIsKilled) {
  TemporaryRoot root;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t runner = ::fork();
  if (runner == 0) {
    ::alarm(30);
    const auto held = HeldFolder::make(root.path(), kOther, self());
    [[maybe_unused]] const auto told = ::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);

  EXPECT_EQ(sweep_workspaces(root.path(), self()).removed, 0U);
  ::kill(runner, SIGKILL);
  ::waitpid(runner, nullptr, 0);
  EXPECT_EQ(sweep_workspaces(root.path(), self()).removed, 1U);

  EXPECT_THAT(names_in(root.path()), IsEmpty());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Sweep, OfNothingIsNothing) {
  EXPECT_EQ(sweep_workspaces("/tmp/no/such/root", self()).removed, 0U);
}

TEST(RemoveTree, TakesWhatIsDeeperThanAnyPathAndAnyNumberOfDescriptors) {
  TemporaryRoot root;
  const auto top = root.path() / "top";
  fs::create_directories(top);
  int at = ::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int depth = 0; depth < 2500; ++depth) {
    ASSERT_EQ(::mkdirat(at, "d", 0700), 0);
    const int next = ::openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ::close(at);
    at = next;
  }
  ::close(at);

  EXPECT_TRUE(removed(top));
  EXPECT_FALSE(fs::exists(top));
}

TEST(RemoveTree, TakesManyFilesAndNamesLikeItsOwn) {
  TemporaryRoot root;
  const auto top = root.path() / "top";
  for (int at = 0; at < 1500; ++at)
    put(top / std::to_string(at % 7) / std::to_string(at), "x");
  for (int at = 0; at < 5; ++at) {
    put(top / (".lifted-" + std::to_string(at)) / "x", "");
    put(top / "nested" / (".lifted-" + std::to_string(at)) / "y/z", "");
  }
  EXPECT_TRUE(removed(top));
  EXPECT_FALSE(fs::exists(top));
}

TEST(RemoveTree, DoesNotFollowLinks) {
  TemporaryRoot root;
  put(root.path() / "keep/file", "x");
  const auto top = root.path() / "top";
  fs::create_directories(top / "sub");
  fs::create_symlink(root.path() / "keep", top / "link");
  fs::create_symlink("../../keep", top / "sub/link");
  fs::create_symlink(root.path() / "keep", root.path() / "top-link");

  EXPECT_TRUE(removed(top));
  EXPECT_FALSE(removed(root.path() / "top-link"));
  EXPECT_EQ(got(root.path() / "keep/file"), "x");
}

TEST(RemoveTree, TakesFoldersThatNobodyMayLookInto) {
  TemporaryRoot root;
  const auto top = root.path() / "top";
  put(top / "closed/inner/file", "x");
  ::chmod((top / "closed/inner").c_str(), 0000);
  ::chmod((top / "closed").c_str(), 0000);
  ::chmod(top.c_str(), 0000);
  // As root everything is open anyway.
  int status = 0;
  if (const pid_t child = ::fork(); child == 0) {
    if (::geteuid() == 0) {
      for (const auto& path :
           {root.path(), top, top / "closed", top / "closed/inner", top / "closed/inner/file"})
        if (::lchown(path.c_str(), 65534, 65534) != 0) ::_exit(3);
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    }
    ::_exit(removed(top) ? 0 : 1);
  } else {
    ::waitpid(child, &status, 0);
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_FALSE(fs::exists(top));
}

class PlaceTest : public ::testing::Test {
 protected:
  TemporaryRoot root;
  boost::asio::io_context ioc;
  Metrics metrics;
  Sandboxes sandboxes{{.workspace_root = root.path()}, Log::none(), metrics};
};

TEST_F(PlaceTest, NothingIsMadeBeforeItIsNeededAndNothingIsLeft) {
  Place place(sandboxes, kId, Log::none());
  test::run_task(ioc, place.close());
  EXPECT_THAT(names_in(root.path()), IsEmpty());

  Place used(sandboxes, kId, Log::none());
  const auto files = test::run_task(ioc, used.files());
  EXPECT_THAT(names_in(root.path()), UnorderedElementsAre(kId));
  EXPECT_TRUE(files->write("a/b.txt", "x", patience()));
  EXPECT_EQ(test::run_task(ioc, used.files()), files);
  test::run_task(ioc, used.close());
  EXPECT_THAT(names_in(root.path()), IsEmpty());
  EXPECT_THROW(test::run_task(ioc, used.files()), Error);
}

TEST_F(PlaceTest, AStartSweepsWhatWasLeft) {
  put(root.path() / kOther / "left/over.txt", "x");
  test::run_task(ioc, sandboxes.start());
  EXPECT_THAT(names_in(root.path()), IsEmpty());
}

}  // namespace
}  // namespace botburrow::sandbox
