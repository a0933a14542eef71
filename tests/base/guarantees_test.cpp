// docs/guarantees.md names files, tests and mutants: each of them must exist, and every mutant must
// break a guarantee that stands there and name tests that can notice.
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace botburrow {
namespace {

using testing::IsEmpty;
using Names = std::set<std::string>;

Names all_matches(const std::string& text, const std::regex& form) {
  Names found;
  for (std::sregex_iterator match(text.begin(), text.end(), form), end; match != end; ++match)
    found.insert((*match)[1].matched && (*match).size() > 2
                     ? (*match)[1].str() + "." + (*match)[2].str()
                     : (*match)[1].str());
  return found;
}

/// `Suite.Test` of every test program.
Names tests_of_the_sources() {
  static const std::regex form(R"(\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  Names names;
  for (const auto& file : test::files_below("tests")) {
    if (file.extension() == ".cpp") names.merge(all_matches(test::text_of(file), form));
  }
  return names;
}

const std::string& document() {
  static const std::string text = test::text_of(test::source_root() / "docs/guarantees.md");
  return text;
}

/// The sections, by `G1` and so on.
std::map<std::string, std::string> guarantees() {
  static const std::regex head("\n### (G[0-9]+) ");
  std::map<std::string, std::string> sections;
  const auto& text = document();
  for (std::sregex_iterator match(text.begin(), text.end(), head), end; match != end; ++match) {
    const auto at = static_cast<std::size_t>(match->position()) + 1;
    sections[(*match)[1]] = text.substr(at, text.find("\n#", at) - at);
  }
  return sections;
}

struct Mutant {
  std::string name, guarantee, program, tests;
};

std::string head_of(const std::string& patch, const std::string& field) {
  std::smatch match;
  const std::regex form("\n" + field + ": *([^\n]*)\n");
  return std::regex_search(patch, match, form) ? match[1].str() : "";
}

std::vector<Mutant> mutants() {
  std::vector<Mutant> all;
  for (const auto& file : test::files_below("tests/mutants")) {
    if (file.extension() != ".patch") continue;
    const auto text = test::text_of(file);
    all.push_back({.name = file.stem().string(),
                   .guarantee = head_of(text, "Guarantee"),
                   .program = head_of(text, "Program"),
                   .tests = head_of(text, "Tests")});
  }
  return all;
}

TEST(GuaranteesDocument, HasEachOfThem) {
  Names numbers;
  for (const auto& [number, text] : guarantees())
    numbers.insert(number);
  Names wanted;
  for (const int number : {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                           14, 15, 18, 19, 20, 21, 22, 23, 26, 27, 28, 30, 31})
    wanted.insert("G" + std::to_string(number));
  EXPECT_EQ(numbers, wanted);
  for (const auto& [number, text] : guarantees()) {
    for (const auto* part : {"**How.**", "**Limits.**", "**Tests.**", "**Mutants.**"})
      EXPECT_NE(text.find(part), std::string::npos) << number << " " << part;
  }
}

TEST(GuaranteesDocument, NamesOnlyFilesThatExist) {
  static const std::regex form("`([a-z_]+/[a-z_/]*[a-z_0-9]+\\.(?:cpp|hpp|lua|md|sh))`");
  std::vector<std::string> missing;
  const auto names = all_matches(document(), form);
  for (const auto& name : names) {
    if (!std::filesystem::exists(test::source_root() / "src" / name) &&
        !std::filesystem::exists(test::source_root() / name))
      missing.push_back(name);
  }
  EXPECT_THAT(missing, IsEmpty());
  EXPECT_GT(names.size(), 20U);
}

TEST(GuaranteesDocument, NamesOnlyTestsThatExist) {
  static const std::regex form("`([A-Z]\\w*)\\.([A-Z]\\w*)`");
  const auto known = tests_of_the_sources();
  for (const auto& [number, text] : guarantees()) {
    const auto named = all_matches(text, form);
    EXPECT_FALSE(named.empty()) << number;
    for (const auto& name : named)
      EXPECT_TRUE(known.contains(name)) << number << " names " << name;
  }
}

TEST(GuaranteesDocument, NamesEveryMutantWhereItBelongs) {
  static const std::regex form("`(G[0-9]+_\\w+)`");
  std::map<std::string, Names> there;
  for (const auto& mutant : mutants())
    there[mutant.guarantee].insert(mutant.name);
  for (const auto& [number, text] : guarantees())
    EXPECT_EQ(all_matches(text, form), there[number]) << number;
  EXPECT_EQ(there.size(), guarantees().size()) << "each has one, and none is of another";
}

// Names as --gtest_filter takes them, parted by colons; a star stands for anything.
TEST(Mutants, NameProgramsAndTestsThatExist) {
  const auto known = tests_of_the_sources();
  for (const auto& mutant : mutants()) {
    const auto room = mutant.program.substr(mutant.program.find('_') + 1);
    EXPECT_TRUE(std::filesystem::is_directory(test::source_root() / "tests" / room)) << mutant.name;
    std::istringstream filters(mutant.tests);
    std::size_t count = 0;
    for (std::string filter; std::getline(filters, filter, ':'); ++count) {
      if (filter.find('*') == std::string::npos)
        EXPECT_TRUE(known.contains(filter)) << mutant.name << " names " << filter;
    }
    EXPECT_GT(count, 0U) << mutant.name;
  }
}

}  // namespace
}  // namespace botburrow
