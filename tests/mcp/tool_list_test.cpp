#include "mcp/tool_list.hpp"

#include "base/error.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::mcp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

json::object tool(std::string name) {
  return {{"name", name}, {"inputSchema", {{"type", "object"}}}};
}

json::object page(json::array tools, std::string next = "") {
  json::object fields{{"tools", std::move(tools)}};
  if (!next.empty()) fields["nextCursor"] = next;
  return fields;
}

std::vector<std::string> names(const ToolPages& pages) {
  std::vector<std::string> out;
  for (const auto& one : pages.tools())
    out.push_back(one.name);
  return out;
}

TEST(ToolPages, FollowsCursorsToTheEnd) {
  ToolPages pages(10);

  EXPECT_EQ(pages.take(page({tool("a"), tool("b")}, "two")), "two");
  EXPECT_EQ(pages.take(page({tool("c")})), std::nullopt);
  EXPECT_THAT(names(pages), ElementsAre("a", "b", "c"));
}

TEST(ToolPages, OneBadDefinitionSpoilsNoOther) {
  ToolPages pages(10);
  pages.take(page({{{"name", "no schema"}},
                   7,
                   tool("good"),
                   {{"name", ""}, {"inputSchema", {{"type", "object"}}}},
                   tool("good"),
                   {{"name", "list"}, {"inputSchema", {{"type", "array"}}}},
                   tool(std::string(300, 'n'))}));

  EXPECT_THAT(names(pages), ElementsAre("good"));
  EXPECT_EQ(pages.faults().size(), 6u);
}

errc failure_of(ToolPages& pages, const json::object& fields) {
  try {
    pages.take(fields);
  } catch (const Error& error) {
    return error.code();
  }
  return errc::internal;
}

TEST(ToolPages, EndsWhatWouldNotEnd) {
  ToolPages circle(10);
  EXPECT_EQ(circle.take(page({}, "x")), "x");
  EXPECT_EQ(failure_of(circle, page({}, "x")), errc::protocol);

  ToolPages many(2);
  many.take(page({tool("a"), tool("b")}, "x"));
  EXPECT_EQ(failure_of(many, page({tool("c")})), errc::limit);

  ToolPages empty_pages(2);
  empty_pages.take(page({}, "1"));
  empty_pages.take(page({}, "2"));
  EXPECT_EQ(failure_of(empty_pages, page({}, "3")), errc::limit);

  ToolPages none(2);
  EXPECT_EQ(failure_of(none, {{"tools", 7}}), errc::protocol);
  EXPECT_EQ(failure_of(none, {}), errc::protocol);
}

TEST(ToolPages, BoundsTheBytesOfDefinitions) {
  ToolPages pages(1000);
  auto large = tool("large");
  large["description"] = std::string(70'000, 'x');
  pages.take(page({large, tool("small")}));
  EXPECT_THAT(names(pages), ElementsAre("small"));
  EXPECT_THAT(pages.faults(), ElementsAre(HasSubstr("over the limit of 65536")));

  ToolPages full(1000);
  const auto sized = [&](int i) {
    auto one = tool("tool " + std::to_string(i));
    one["description"] = std::string(60'000, 'x');
    return one;
  };
  for (int i = 0; i < 34; ++i)
    full.take(page({sized(i)}));
  EXPECT_EQ(failure_of(full, page({sized(34)})), errc::limit);
}

ToolDefinition defined(const char* text) {
  return *read_tool(parse_json(text, "test")).tool;
}

TEST(DefinitionsHash, DoesNotDependOnOrder) {
  const auto a = defined(R"({"name":"a","inputSchema":{"type":"object","x":[1,2]}})");
  const auto same_a = defined(R"({"inputSchema":{"x":[1,2],"type":"object"},"name":"a"})");
  const auto b = defined(R"({"name":"b","inputSchema":{"type":"object"}})");

  EXPECT_EQ(definitions_hash({a, b}), definitions_hash({b, same_a}));
  EXPECT_EQ(definition_mark(a), definition_mark(same_a));
}

TEST(DefinitionsHash, ChangesWithEverythingThatIsDefined) {
  const auto hash = [](const char* text) { return definitions_hash({defined(text)}); };
  const auto plain = hash(R"({"name":"a","inputSchema":{"type":"object"}})");

  EXPECT_NE(plain, hash(R"({"name":"A","inputSchema":{"type":"object"}})"));
  EXPECT_NE(plain, hash(R"({"name":"a","description":" ","inputSchema":{"type":"object"}})"));
  EXPECT_NE(plain, hash(R"({"name":"a","inputSchema":{"type":"object","p":{}}})"));
  EXPECT_NE(plain, hash(R"({"name":"a","inputSchema":{"type":"object"},"annotations":{}})"));
  EXPECT_NE(plain, definitions_hash({}));
}

TEST(CleanText, LosesWhatHides) {
  EXPECT_EQ(clean_text("plain text\n\twith é and 漢字 and 😀"),
            "plain text\n\twith é and 漢字 and 😀");
  EXPECT_EQ(clean_text("a\x1b[31mred\x07"), "a[31mred");
  EXPECT_EQ(clean_text("a\u202Eb\u2066c\u200Fd"), "abcd");  // direction
  EXPECT_EQ(clean_text("a\U000E0041\U000E0042b"), "ab");    // invisible tags
  EXPECT_EQ(clean_text("a\u2028b\uFEFFc\u0085d"), "abcd");  // separators, C1
  EXPECT_THAT(clean_text("bad \xff bytes"), HasSubstr("\uFFFD"));
  EXPECT_EQ(clean_text("a\u200Bb\u200Cc\u200Dd\u2060e\uFE0Ff\u00ADg\uFE00h\u2063i"), "abcdefghi");
}

TEST(CleanText, KeepsWhatJoinsEmojiAndLetters) {
  for (const auto* text : {"👨\u200D👩\u200D👧", "❤\uFE0F", "❤\uFE0F\u200D🔥", "می\u200Cخواهم"})
    EXPECT_EQ(clean_text(text), text);
  // A row of them is no way to write, but one to hide.
  std::string row = "😀";
  for (int i = 0; i < 100; ++i)
    row += i % 3 == 0 ? "\uFE0F" : "\u200D";
  EXPECT_EQ(clean_text(row).size(), 4u + 2 * 3u);
}

TEST(CleanText, ReachesEveryTextOfADocument) {
  const auto dirty = parse_json(
      R"({"properties":{"a\u200b":{"description":"x\ue000\u200by","enum":["q\u2060",1,null]}}})",
      "test");
  EXPECT_EQ(to_json(clean_texts(dirty)),
            "{\"properties\":{\"a\":{\"description\":\"x\uE000y\",\"enum\":[\"q\",1,null]}}}");
}

}  // namespace
}  // namespace botburrow::mcp
