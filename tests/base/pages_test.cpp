// The pages as a whole: links lead somewhere, everything can be found from the index, alerts and
// runbooks belong together, and tests and metrics that are named exist.
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace botburrow {
namespace {

namespace fs = std::filesystem;
using test::text_of;
using testing::IsEmpty;
using Names = std::set<std::string>;

/// Every Markdown file of ours; prompts and skills of agents are no pages.
std::vector<fs::path> pages() {
  std::vector<fs::path> found;
  for (const auto* folder : {"docs", "src", "bench", "deploy", "examples", "tests/fuzz"}) {
    for (const auto& file : test::files_below(folder)) {
      const bool agent = file.filename() == "SKILL.md" || file.filename() == "system-prompt.md";
      if (file.extension() == ".md" && !agent) found.push_back(file);
    }
  }
  for (const auto* file : {"README.md", "CONTRIBUTING.md", "CHANGELOG.md"})
    found.push_back(test::source_root() / file);
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

/// The page without its fenced blocks and code, which hold no links and no headings.
std::string prose_of(const fs::path& page) {
  std::string prose;
  bool fenced = false;
  for (const auto& line : lines_of(text_of(page))) {
    if (line.find("```") != std::string::npos)
      fenced = !fenced;
    else if (!fenced)
      prose += line + "\n";
  }
  return prose;
}

/// As GitHub names a heading: lower case, no punctuation, blanks to hyphens.
std::string anchor_of(const std::string& heading) {
  static const std::regex link(R"(\[([^\]]*)\]\([^)]*\))");
  std::string anchor;
  for (const unsigned char c : std::regex_replace(heading, link, "$1")) {
    if (c == ' ')
      anchor += '-';
    else if (std::isalnum(c) || c == '-' || c == '_' || c >= 0x80)
      anchor += static_cast<char>(std::tolower(c));
  }
  // The two signs beyond ASCII in our headings that count as punctuation.
  for (const std::string sign : {"·", "…", "→"}) {
    for (auto at = anchor.find(sign); at != std::string::npos; at = anchor.find(sign))
      anchor.erase(at, sign.size());
  }
  return anchor;
}

Names anchors_of(const fs::path& page) {
  static const std::regex heading("^#+ +(.*?) *$");
  Names anchors;
  for (const auto& line : lines_of(prose_of(page))) {
    std::smatch match;
    if (!std::regex_match(line, match, heading)) continue;
    const auto anchor = anchor_of(match[1]);
    // The second of one name gets a number.
    for (int i = 0; !anchors.insert(i == 0 ? anchor : anchor + "-" + std::to_string(i)).second;
         ++i) {
    }
  }
  return anchors;
}

struct Link {
  fs::path page;
  std::string target, anchor;
  fs::path file() const { return target.empty() ? page : page.parent_path() / target; }
  std::string text() const {
    return test::name_of(page) + ": " + target + (anchor.empty() ? "" : "#" + anchor);
  }
};

std::vector<Link> links_of(const fs::path& page) {
  static const std::regex form(R"(\]\(([^)#\s]*)(?:#([^)\s]*))?\))");
  static const std::regex code("`[^`]*`");
  const auto prose = std::regex_replace(prose_of(page), code, "code");
  std::vector<Link> links;
  for (std::sregex_iterator match(prose.begin(), prose.end(), form), end; match != end; ++match) {
    if ((*match)[1].str().find(':') == std::string::npos)
      links.push_back({.page = page, .target = (*match)[1], .anchor = (*match)[2]});
  }
  return links;
}

TEST(Pages, EveryLinkLeadsToAFileAndEveryAnchorToAHeading) {
  std::vector<std::string> broken;
  int seen = 0;
  for (const auto& page : pages()) {
    for (const auto& link : links_of(page)) {
      ++seen;
      const bool there = fs::exists(link.file());
      if (!there || (!link.anchor.empty() && !anchors_of(link.file()).contains(link.anchor)))
        broken.push_back(link.text());
    }
  }

  EXPECT_THAT(broken, IsEmpty());
  EXPECT_GT(seen, 100);
}

TEST(Pages, HeadingsBecomeAnchorsAsTheyDoOnThePage) {
  EXPECT_EQ(anchor_of("2. Keys and agents"), "2-keys-and-agents");
  EXPECT_EQ(anchor_of("The Hub's database is broken"), "the-hubs-database-is-broken");
  EXPECT_EQ(anchor_of("`port_in_use`"), "port_in_use");
  EXPECT_EQ(anchor_of("G1 · Nothing is lost"), "g1--nothing-is-lost");
}

TEST(Pages, EveryPageBeginsWithAHeading) {
  std::vector<std::string> without;
  for (const auto& page : pages()) {
    if (!text_of(page).starts_with("# ")) without.push_back(test::name_of(page));
  }

  EXPECT_THAT(without, IsEmpty()) << "a formatter of code may have been let loose on them";
}

TEST(Pages, EveryDocumentCanBeReachedFromTheIndex) {
  Names reached = {"docs/README.md"};
  for (std::vector<std::string> open = {"docs/README.md"}; !open.empty();) {
    const auto page = test::source_root() / open.back();
    open.pop_back();
    for (const auto& link : links_of(page)) {
      const auto name = test::name_of(fs::weakly_canonical(link.file()));
      if (name.ends_with(".md") && name.starts_with("docs/") && reached.insert(name).second)
        open.push_back(name);
    }
  }
  std::vector<std::string> lost;
  for (const auto& file : test::files_below("docs")) {
    if (file.extension() == ".md" && !reached.contains(test::name_of(file)))
      lost.push_back(test::name_of(file));
  }

  EXPECT_THAT(lost, IsEmpty()) << "docs/README.md says which page answers what";
}

// Alerts and their runbooks -----------------------------------------------------------------------

struct Alert {
  std::string name, runbook, url;
};

std::vector<Alert> alerts() {
  static const std::regex field(R"(^ *(?:- )?(alert|runbook|runbook_url): (\S+)$)");
  std::vector<Alert> found;
  for (const auto& line : lines_of(text_of(test::source_root() / "deploy/prometheus/rules.yaml"))) {
    std::smatch match;
    if (!std::regex_match(line, match, field)) continue;
    if (match[1] == "alert")
      found.push_back({.name = match[2], .runbook = {}, .url = {}});
    else if (match[1] == "runbook")
      found.back().runbook = match[2];
    else
      found.back().url = match[2];
  }
  return found;
}

TEST(Runbooks, EachAlertHasOneAndPointsToIt) {
  const auto listed = text_of(test::source_root() / "docs/operations/alerts.md");
  std::vector<std::string> faults;
  for (const auto& alert : alerts()) {
    const auto book = "docs/operations/runbooks/" + alert.name + ".md";
    if (!fs::exists(test::source_root() / book)) faults.push_back(book + " is missing");
    if (alert.runbook != book) faults.push_back(alert.name + ": runbook is " + alert.runbook);
    if (!alert.url.starts_with("https://") || !alert.url.ends_with("/" + book))
      faults.push_back(alert.name + ": runbook_url is " + alert.url);
    if (listed.find("| [" + alert.name + "](runbooks/" + alert.name + ".md) |") ==
        std::string::npos)
      faults.push_back(alert.name + ": not in docs/operations/alerts.md");
  }

  EXPECT_THAT(faults, IsEmpty());
  EXPECT_GT(alerts().size(), 10u);
}

TEST(Runbooks, EachBelongsToAnAlertAndHasAllItsParts) {
  const std::vector<std::string> parts = {"Symptom",    "Impact",       "Diagnosis",
                                          "Resolution", "Verification", "Prevention"};
  Names names;
  for (const auto& alert : alerts())
    names.insert(alert.name);
  std::vector<std::string> faults;
  for (const auto& book : test::files_below("docs/operations/runbooks")) {
    const auto name = book.stem().string();
    if (!names.contains(name)) faults.push_back(name + ": no such alert");
    std::vector<std::string> headings;
    for (const auto& line : lines_of(prose_of(book))) {
      if (line.starts_with("## ")) headings.push_back(line.substr(3));
    }
    if (!text_of(book).starts_with("# " + name + "\n")) faults.push_back(name + ": its title");
    if (headings != parts) faults.push_back(name + ": its parts, or their order");
  }

  EXPECT_THAT(faults, IsEmpty());
}

// Names of the code -------------------------------------------------------------------------------

Names all_matches(const std::string& text, const std::regex& form) {
  Names found;
  for (std::sregex_iterator match(text.begin(), text.end(), form), end; match != end; ++match)
    found.insert((*match)[1].str() + ((*match).size() > 2 ? "." + (*match)[2].str() : ""));
  return found;
}

TEST(Pages, TestsThatAreNamedExist) {
  static const std::regex declared(R"(\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  static const std::regex named(R"(`([A-Z]\w+)\.([A-Z]\w+)`)");
  Names tests;
  for (const auto& file : test::files_below("tests")) {
    if (file.extension() == ".cpp") tests.merge(all_matches(text_of(file), declared));
  }
  std::vector<std::string> unknown;
  for (const auto& file : test::files_below("docs/operations")) {
    if (file.extension() != ".md") continue;
    for (const auto& name : all_matches(text_of(file), named)) {
      if (!tests.contains(name)) unknown.push_back(test::name_of(file) + ": " + name);
    }
  }

  EXPECT_THAT(unknown, IsEmpty());
}

TEST(Pages, MetricsThatAreNamedAreExported) {
  static const std::regex named(R"(\b(botburrow_[a-z_]+[a-z])\b(?!…))");
  std::string sources;
  for (const auto& file : test::files_below("src"))
    sources += text_of(file);
  std::vector<std::string> unknown;
  for (const auto& file : test::files_below("docs")) {
    if (file.extension() != ".md") continue;
    for (const auto& name : all_matches(text_of(file), named)) {
      const bool key =
          name == "botburrow_agent" || name == "botburrow_human" || name == "botburrow_service";
      const auto known = [&](const std::string& whole) {
        return sources.find("\"" + whole + "\"") != std::string::npos;
      };
      const auto without =
          name.substr(0, name.rfind('_'));  // _bucket, _sum, _count; of a package: name_version
      if (!key && !known(name) && !known(without) && sources.find(name) == std::string::npos)
        unknown.push_back(test::name_of(file) + ": " + name);
    }
  }

  EXPECT_THAT(unknown, IsEmpty());
}

}  // namespace
}  // namespace botburrow
