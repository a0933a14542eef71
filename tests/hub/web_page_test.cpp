// The page's promises that can be read off its files: content is never parsed as markup, and
// nothing needs a looser content-security policy than the Hub sends.

#include <gtest/gtest.h>

#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <string_view>

namespace botburrow::hub {

std::string_view embedded(std::string_view file_name);

namespace {

constexpr const char* kScripts[] = {"app.js",  "page.js",    "lists.js", "thread.js", "pieces.js",
                                    "side.js", "compose.js", "text.js",  "api.js"};

TEST(WebPage, EveryFileThatThePageNamesIsEmbedded) {
  const std::string page(embedded("index.html"));
  const std::regex reference("(?:src|href)=\"/([a-z.]+)\"");
  int files = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), reference), end; at != end;
       ++at, ++files) {
    EXPECT_FALSE(embedded((*at)[1].str()).empty()) << (*at)[1];
  }
  EXPECT_GE(files, 3);
  const std::regex import("from \"\\./([a-z.]+)\"");
  std::set<std::string> imported{"app.js"};
  for (const auto* script : kScripts) {
    const std::string text(embedded(script));
    ASSERT_FALSE(text.empty()) << script;
    for (std::sregex_iterator at(text.begin(), text.end(), import), end; at != end; ++at) {
      EXPECT_FALSE(embedded((*at)[1].str()).empty()) << (*at)[1];
      imported.insert((*at)[1].str());
    }
  }
  EXPECT_EQ(imported.size(), std::size(kScripts)) << "every script is checked here, and used";
}

TEST(WebPage, WhatIsImportedIsExported) {
  const std::regex line("import \\{([^}]*)\\} from \"\\./([a-z.]+)\"");
  const std::regex word("[A-Za-z]+");
  for (const auto* script : kScripts) {
    const std::string text(embedded(script));
    for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at) {
      const std::string names = (*at)[1], from(embedded((*at)[2].str()));
      for (std::sregex_iterator name(names.begin(), names.end(), word); name != end; ++name) {
        const std::regex exported("export (?:async )?(?:function|const|class) " + name->str() +
                                  "\\b");
        EXPECT_TRUE(std::regex_search(from, exported)) << script << ": " << name->str();
      }
    }
  }
}

TEST(WebPage, ContentIsNeverParsedAsMarkup) {
  for (const auto* script : kScripts) {
    const std::string_view text = embedded(script);
    for (const auto* way :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
          "createContextualFragment", "DOMParser", "eval(", "new Function", "setHTML", "srcdoc"}) {
      EXPECT_EQ(text.find(way), std::string_view::npos) << script << ": " << way;
    }
  }
}

TEST(WebPage, NothingIsInlineOrFromElsewhere) {
  const std::string page(embedded("index.html"));
  EXPECT_FALSE(std::regex_search(
      page, std::regex("<style|\\sstyle=|\\son[a-z]+=|javascript:|https?://|//[a-z]")));
  EXPECT_FALSE(std::regex_search(page, std::regex("<script[^>]*>[^<]")));
  const std::string style(embedded("style.css"));
  EXPECT_FALSE(std::regex_search(style, std::regex("@import|url\\(|https?://")));
}

TEST(WebPage, TheKeyStaysInTheTab) {
  for (const auto* script : kScripts) {
    EXPECT_EQ(embedded(script).find("localStorage"), std::string_view::npos) << script;
    EXPECT_EQ(embedded(script).find("document.cookie"), std::string_view::npos) << script;
  }
}

}  // namespace
}  // namespace botburrow::hub
