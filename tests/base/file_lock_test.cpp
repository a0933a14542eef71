#include "base/file_lock.hpp"

#include "base/error.hpp"
#include "base/random.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>

namespace botburrow {
namespace {

using ::testing::HasSubstr;

class FileLockTest : public ::testing::Test {
 protected:
  ~FileLockTest() override { std::filesystem::remove(path_); }
  static FileLock::Words words() { return {.what = "the cellar", .cure = "choose another cellar"}; }
  std::optional<Error> refusal() {
    try {
      FileLock second(path_, words());
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  std::string path_ =
      (std::filesystem::temp_directory_path() / ("bb-lock-" + system_random().uuid4())).string();
};

TEST_F(FileLockTest, OneProcessHoldsIt) {
  EXPECT_EQ(FileLock::is_held(path_), std::nullopt);
  auto first = std::make_unique<FileLock>(path_, words());
  EXPECT_EQ(FileLock::is_held(path_), true);
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto refused = refusal();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), errc::already_exists);
  EXPECT_EQ(refused->message(),
            fmt::format("the cellar is in use by process {}; stop it, or choose another cellar",
                        ::getpid()));
  first.reset();
  EXPECT_EQ(FileLock::is_held(path_), false);
  EXPECT_FALSE(refusal()) << "free again, with the file of before";
}

TEST_F(FileLockTest, AKilledHolderLeavesItFree) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock held(path_, words());
    if (::write(pipe_ends[1], "x", 1) != 1) ::_exit(1);
    for (;;)
      ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(pipe_ends[0], &byte, 1), 1);
  const auto refused = refusal();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->message(), HasSubstr(fmt::format("process {}", child)));
  EXPECT_FALSE(refusal());
}

TEST_F(FileLockTest, APlaceThatCannotBeUsedIsSaid) {
  path_ = "/nowhere/at/all/lock";
  const auto refused = refusal();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), errc::io);
  EXPECT_THAT(refused->message(), HasSubstr("/nowhere/at/all/lock: No such file"));
}

}  // namespace
}  // namespace botburrow
