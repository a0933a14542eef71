// The page's promises that can be read off its files and its answers: what others wrote is never
// parsed as markup, nothing comes from elsewhere, the key stays in the tab, and it is small.
#include "console_fixture.hpp"

#include <iterator>
#include <regex>
#include <set>

namespace botburrow::console {

std::string_view embedded(std::string_view file_name);

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kScripts[] = {"app.js",      "api.js",   "dom.js",         "format.js",
                                    "parts.js",    "plot.js",  "lock.js",        "keys.js",
                                    "overview.js", "queue.js", "agents.js",      "agent.js",
                                    "dead.js",     "theme.js", "activations.js", "transcript.js"};

TEST(ConsolePage, EveryFileThatThePageNamesIsEmbedded) {
  const std::string page(embedded("index.html"));
  const std::regex reference("(?:src|href)=\"/console/([a-z.]+)\"");
  std::set<std::string> named;
  for (std::sregex_iterator at(page.begin(), page.end(), reference), end; at != end; ++at)
    named.insert((*at)[1].str());
  const std::regex import("from \"\\./([a-z.]+)\"");
  for (const auto* script : kScripts) {
    const std::string text(embedded(script));
    ASSERT_FALSE(text.empty()) << script;
    for (std::sregex_iterator at(text.begin(), text.end(), import), end; at != end; ++at)
      named.insert((*at)[1].str());
  }
  for (const auto& name : named)
    EXPECT_FALSE(embedded(name).empty()) << name;
  for (const auto* script : kScripts)
    EXPECT_TRUE(named.contains(script)) << script << " is used by nobody";
}

TEST(ConsolePage, WhatIsImportedIsExported) {
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
        const std::regex used("\\b" + name->str() + "\\b");
        EXPECT_GE(std::distance(std::sregex_iterator(text.begin(), text.end(), used),
                                std::sregex_iterator()),
                  2)
            << script << " does not use " << name->str();
      }
    }
  }
}

TEST(ConsolePage, WhatOthersWroteIsNeverParsedAsMarkup) {
  for (const auto* script : kScripts) {
    const std::string_view text = embedded(script);
    for (const auto* way :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser",
          "createContextualFragment", "new Function", "setHTML", "srcdoc", "javascript:"}) {
      EXPECT_EQ(text.find(way), std::string_view::npos) << script << ": " << way;
    }
  }
}

TEST(ConsolePage, NothingIsInlineOrFromElsewhere) {
  const std::string page(embedded("index.html"));
  EXPECT_FALSE(std::regex_search(
      page, std::regex("<style|\\sstyle=|\\son[a-z]+=|javascript:|https?://|\"//[a-z]")));
  EXPECT_FALSE(std::regex_search(page, std::regex("<script[^>]*>[^<]")));
  const std::string style(embedded("style.css"));
  EXPECT_FALSE(std::regex_search(style, std::regex("@import|url\\(|https?://")));
  for (const auto* script : kScripts) {
    const std::string text(embedded(script));
    EXPECT_FALSE(std::regex_search(text, std::regex("https?://(?!www\\.w3\\.org/2000/svg)")))
        << script;
  }
}

TEST(ConsolePage, TheKeyStaysInTheTab) {
  for (const auto* script : kScripts) {
    EXPECT_EQ(embedded(script).find("document.cookie"), std::string_view::npos) << script;
    // The theme outlives the tab; the key does not.
    if (script != std::string_view("theme.js")) {
      EXPECT_EQ(embedded(script).find("localStorage"), std::string_view::npos) << script;
    }
  }
}

class ConsolePages : public ConsoleTest {};

TEST_F(ConsolePages, TheFrontIsAPageForBrowsersAndJsonForPrograms) {
  open();
  const auto page = send("GET", "/", "", {{"Accept", "text/html,application/xhtml+xml"}});
  EXPECT_EQ(page.whole.header("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.whole.body, HasSubstr("Botburrow"));
  const auto program = send("GET", "/", "", {{"Accept", "*/*"}});
  EXPECT_EQ(program.str("service"), "botburrow-coordinator");
  EXPECT_EQ(send("GET", "/console").whole.body, page.whole.body);
  EXPECT_EQ(send("GET", "/health").status, 200);
}

TEST_F(ConsolePages, EveryFileComesWithAStrictPolicy) {
  open();
  for (const char* path :
       {"/console", "/console/app.js", "/console/style.css", "/console/icon.svg"}) {
    const auto answer = send("GET", path);
    EXPECT_EQ(answer.status, 200) << path;
    const auto policy = answer.whole.header("content-security-policy").value_or("");
    EXPECT_THAT(policy, HasSubstr("default-src 'none'")) << path;
    EXPECT_THAT(policy, HasSubstr("require-trusted-types-for 'script'")) << path;
    EXPECT_THAT(policy, HasSubstr("frame-ancestors 'none'")) << path;
    EXPECT_THAT(policy, Not(HasSubstr("unsafe"))) << path;
    EXPECT_EQ(answer.whole.header("x-content-type-options"), "nosniff") << path;
    EXPECT_EQ(answer.whole.header("referrer-policy"), "no-referrer") << path;
    EXPECT_FALSE(answer.whole.header("set-cookie")) << path;
  }
  for (const char* path : {"/console/none.js", "/console/index.html", "/console/..%2fREADME.md"})
    EXPECT_EQ(send("GET", path).status, 404) << path;
}

TEST_F(ConsolePages, AFileThatIsKnownIsNotSentAgain) {
  open();
  const auto first = send("GET", "/console/app.js");
  const auto tag = first.whole.header("etag").value_or("");
  EXPECT_FALSE(tag.empty());
  const auto again = send("GET", "/console/app.js", "", {{"If-None-Match", tag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.whole.body, "");
  EXPECT_EQ(send("GET", "/console/app.js", "", {{"If-None-Match", "\"other\""}}).status, 200);
}

TEST_F(ConsolePages, OnePageLoadIsUnder150KB) {
  open();
  std::size_t bytes = 0;
  const auto add = [&](const std::string& path) {
    const auto answer = send("GET", path);
    EXPECT_EQ(answer.status, 200) << path;
    bytes += answer.whole.body.size() + 700;  // its head
  };
  for (const char* path : {"/console", "/console/style.css", "/console/icon.svg", "/console/api/me",
                           "/console/api/state", "/console/api/history"})
    add(path);
  for (const auto* script : kScripts)
    add(std::string("/console/") + script);
  EXPECT_LT(bytes, 150'000U);
  RecordProperty("bytes", static_cast<int>(bytes));
}

}  // namespace
}  // namespace botburrow::console
