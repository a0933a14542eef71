// docs/architecture.md walks through the house by file names: each of them must exist.
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace botburrow {
namespace {

// Words in code style that have a folder and an ending, such as `queue/scripts/claim.lua`.
std::set<std::string> files_named_in(const std::string& text) {
  static const std::regex form("`([a-z_]+/[a-z_/]*[a-z_0-9]+\\.(cpp|hpp|lua|md|html))`");
  std::set<std::string> names;
  for (std::sregex_iterator name(text.begin(), text.end(), form), end; name != end; ++name)
    names.insert((*name)[1]);
  return names;
}

TEST(ArchitectureDocument, NamesOnlyFilesThatExist) {
  const auto names = files_named_in(test::text_of(test::source_root() / "docs/architecture.md"));
  std::vector<std::string> missing;
  for (const auto& name : names) {
    const bool exists = std::filesystem::exists(test::source_root() / "src" / name) ||
                        std::filesystem::exists(test::source_root() / name);
    if (!exists) missing.push_back(name);
  }

  EXPECT_THAT(missing, testing::IsEmpty());
  EXPECT_GT(names.size(), 20U) << "the walk names its files";
}

TEST(ArchitectureDocument, TheReaderOfNamesFindsThem) {
  EXPECT_THAT(files_named_in("see `queue/scripts/claim.lua`, `agent/loop.cpp` and `x`, not "
                             "agent/inbox.cpp or `a b/c.cpp`"),
              testing::ElementsAre("agent/loop.cpp", "queue/scripts/claim.lua"));
}

}  // namespace
}  // namespace botburrow
