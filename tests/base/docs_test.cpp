// Documents that repeat what the program knows are read against it.
#include "base/error.hpp"
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

namespace botburrow {
namespace {

using test::text_of;
using testing::IsEmpty;

std::set<std::string> codes_of_the_program() {
  std::set<std::string> names;
  for (int code = 0; code <= static_cast<int>(errc::internal); ++code)
    names.emplace(name_of(static_cast<errc>(code)));
  return names;
}

// Headings such as: ### `port_in_use`
std::multiset<std::string> codes_of_the_document() {
  static const std::regex form("^#+ `([a-z_]+)`$");
  std::multiset<std::string> names;
  std::istringstream lines(text_of(test::source_root() / "docs/errors.md"));
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, form)) names.insert(match[1]);
  }
  return names;
}

TEST(ErrorsDocument, ListsEveryCodeOnceAndNothingElse) {
  const auto codes = codes_of_the_program();
  const auto listed = codes_of_the_document();

  for (const auto& code : codes)
    EXPECT_EQ(listed.count(code), 1U) << code;
  for (const auto& code : listed)
    EXPECT_TRUE(codes.contains(code)) << code << " is no code";
}

TEST(ErrorsDocument, GivesEachCodeACauseAndACure) {
  const auto text = text_of(test::source_root() / "docs/errors.md");
  for (const auto& code : codes_of_the_program()) {
    const auto at = text.find("`" + code + "`\n");
    ASSERT_NE(at, std::string::npos) << code;
    const auto section = text.substr(at, text.find("\n#", at) - at);
    EXPECT_NE(section.find("**Cause.**"), std::string::npos) << code;
    EXPECT_NE(section.find("**Cure.**"), std::string::npos) << code;
  }
}

TEST(DependenciesDocument, NamesEveryPackage) {
  const auto document = text_of(test::source_root() / "docs/dependencies.md");
  std::istringstream lines(text_of(test::source_root() / "packages.txt"));
  std::vector<std::string> missing;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    if (document.find("`" + line + "`") == std::string::npos) missing.push_back(line);
  }

  EXPECT_THAT(missing, IsEmpty());
}

}  // namespace
}  // namespace botburrow
