#include "sandbox/program.hpp"

#include "tests/sandbox/temporary_root.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::sandbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPath = "/usr/local/bin:/usr/bin:/bin";

class ProgramTest : public testing::Test {
 protected:
  std::filesystem::path program(const std::string& name) {
    const auto file = std::filesystem::canonical(root.path()) / name;
    put(file, "#!/bin/sh\n");
    ::chmod(file.c_str(), 0755);
    return file;
  }
  TemporaryRoot root;
};

TEST_F(ProgramTest, OneOfTheSystemNeedsNothingMore) {
  const auto found = locate_program("ls", kPath, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, "/usr/bin/ls");
  EXPECT_THAT(found->read_only, IsEmpty());
}

TEST_F(ProgramTest, AnyOtherIsShownAlone) {
  const auto file = program("tools/mine");
  const auto found = locate_program(file, kPath, {"/opt/more"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, file);
  EXPECT_THAT(found->read_only, ElementsAre("/opt/more", file));
  // By its name as well, and by a link.
  EXPECT_EQ(locate_program("mine", file.parent_path(), {})->path, file);
  const auto link = file.parent_path() / "link";
  std::filesystem::create_symlink("mine", link);
  EXPECT_THAT(locate_program(link, kPath, {})->read_only, ElementsAre(file));
}

TEST_F(ProgramTest, WhatIsShownAnywayIsNotShownTwice) {
  const auto file = program("tools/mine");
  const auto folder = file.parent_path().string();
  EXPECT_THAT(locate_program(file, kPath, {folder})->read_only, ElementsAre(folder));
}

TEST_F(ProgramTest, APackageOfNodeIsShownWithItsNeighbours) {
  const auto file = program("app/node_modules/one/dist/index.js");
  std::filesystem::create_directories(root.path() / "app/node_modules/.bin");
  const auto link = root.path() / "app/node_modules/.bin/one";
  std::filesystem::create_symlink("../one/dist/index.js", link);
  const auto found = locate_program(link, kPath, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, file);
  EXPECT_THAT(found->read_only, ElementsAre(file.parent_path().parent_path().parent_path()));
}

TEST_F(ProgramTest, WhatIsNotThereOrNotNamedInFullIsNothing) {
  EXPECT_FALSE(locate_program("no-such-program", kPath, {}));
  EXPECT_FALSE(locate_program("/no/such", kPath, {}));
  EXPECT_FALSE(locate_program("./ls", kPath, {}));
  EXPECT_FALSE(locate_program("bin/ls", kPath, {}));
  EXPECT_FALSE(locate_program("", kPath, {}));
}

}  // namespace
}  // namespace botburrow::sandbox
