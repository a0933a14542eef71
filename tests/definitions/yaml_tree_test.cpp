#include "definitions/yaml_tree.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <random>

namespace botburrow::definitions {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i)
    out += text;
  return out;
}

std::string fault_of(const YamlDocument& document) {
  EXPECT_THAT(document.faults, testing::Not(IsEmpty()));
  if (document.faults.empty()) return {};
  const YamlFault& fault = document.faults.front();
  return std::to_string(fault.line) + ":" + std::to_string(fault.column) + " " + fault.message +
         "; " + fault.fix;
}

TEST(YamlTree, KeepsPlacesInLinesAndCharacters) {
  const auto document = parse_yaml("a: 1\nb:\n  - x\n  - {\"käse\": brot}\n");

  ASSERT_TRUE(document.complete);
  const YamlNode& second = document.root.find("b")->items[1];
  EXPECT_EQ(document.root.find("a")->line, 1);
  EXPECT_EQ(document.root.find("a")->column, 4);
  EXPECT_EQ(second.entries[0].line, 4);
  EXPECT_EQ(second.entries[0].column, 6);
  EXPECT_EQ(second.entries[0].value.column, 14);  // 15 bytes in, but ä is one character
  EXPECT_TRUE(parse_yaml("a: '1'").root.find("a")->quoted);
  EXPECT_FALSE(parse_yaml("a: 1").root.find("a")->quoted);
}

TEST(YamlTree, LineEndsAndByteOrderMarksDoNotMatter) {
  const auto document = parse_yaml(
      "\xEF\xBB\xBF"
      "a: x\r\nb: |\r\n  one\r\n  two\r\nc: 3\r\n");

  ASSERT_TRUE(document.complete);
  EXPECT_EQ(document.root.find("a")->text, "x");
  EXPECT_EQ(document.root.find("b")->text, "one\ntwo\n");
  EXPECT_EQ(document.root.find("c")->line, 5);
  EXPECT_EQ(document.root.find("c")->column, 4);
}

TEST(YamlTree, ResolvesAliasesAndMergeKeys) {
  const auto document = parse_yaml(
      "base: &base {model: m, temperature: 1}\n"
      "brain:\n  <<: *base\n  temperature: 2\n"
      "list: &l [a]\nagain: *l\n");

  ASSERT_TRUE(document.complete) << fault_of(document);
  const YamlNode& brain = *document.root.find("brain");
  EXPECT_EQ(brain.find("model")->text, "m");
  EXPECT_EQ(brain.find("temperature")->text, "2");
  EXPECT_EQ(document.root.find("again")->items[0].text, "a");
}

TEST(YamlTree, NamesWhatIsWrongWithAnUnreadableFile) {
  EXPECT_THAT(fault_of(parse_yaml("a: [1, 2\nb: 3\n")), HasSubstr("not valid YAML"));
  EXPECT_THAT(fault_of(parse_yaml("a:\n\tb: 1\n")), HasSubstr("indent with blanks, not tabs"));
  EXPECT_THAT(fault_of(parse_yaml("a: @b\n")), HasSubstr("1:4"));
  EXPECT_THAT(fault_of(parse_yaml("a: 1\n---\nb: 2\n")),
              HasSubstr("a second document starts here"));
  EXPECT_THAT(fault_of(parse_yaml("a: *nobody\n")), HasSubstr("not valid YAML"));
  EXPECT_THAT(fault_of(parse_yaml("[a, b]: c\n")), HasSubstr("a key is not plain text"));
  EXPECT_THAT(fault_of(parse_yaml("a: !!python/object:os.system x\n")),
              HasSubstr("is not allowed"));
  EXPECT_THAT(fault_of(parse_yaml("a: &x [*x]\n")),
              HasSubstr("1:8 an alias refers to the section it stands in"));
}

TEST(YamlTree, AQuoteThatIsNeverClosedIsNamedWhereItBegins) {
  for (const auto* text :
       {"a: 1\nb: \"hello\nc:\n  d: 3\n", "a: 1\nb: 'hello\nc:\n  d: 3\n", "a: 1\nb: \"\n",
        "a: 1\nb: \"hello\\\"\n", "a: 1\nb: 'it''s\n", "a: 1\nb: 'x\n\n\n"}) {
    const auto fault = fault_of(parse_yaml(text));
    EXPECT_THAT(fault, testing::StartsWith("2:4 the quote ")) << text;
    EXPECT_THAT(fault, HasSubstr("is never closed, and swallows the rest of the file; add "));
  }
  EXPECT_THAT(fault_of(parse_yaml("a: &x\n  'hello\nc: 3\n")),
              testing::StartsWith("2:3 the quote"));
  EXPECT_THAT(fault_of(parse_yaml("- !!str # why\n  \"hello\n")),
              testing::StartsWith("2:3 the quo"));
  // Without a last line end the library notices by itself.
  for (const auto* text : {"a: 1\nb: \"hello", "a: 1\nb: 'it''s"})
    EXPECT_THAT(fault_of(parse_yaml(text)), HasSubstr("add the closing quote")) << text;
}

TEST(YamlTree, QuotesThatAreClosedAtTheEndOfTheFileAreFine) {
  for (const auto* text : {"a: \"hello\"", "a: 'it''s'", "a: ''", "a: \"\\\\\"", "a: \"x\ny\"\n",
                           "a: it's", "a: |\n  \"x\n", "\"a\": 1", "a: &x 'y'\nb: *x\n"}) {
    EXPECT_TRUE(parse_yaml(text).complete) << text;
  }
}

TEST(YamlTree, DuplicateKeysAreNamedAtTheSecond) {
  EXPECT_THAT(fault_of(parse_yaml("a: 1\nb: 2\na: 3\n")),
              HasSubstr("3:1 the key \"a\" is given twice"));
}

TEST(YamlTree, BytesThatAreNoTextAreNamedWithTheirPlace) {
  EXPECT_THAT(fault_of(parse_yaml("a: 1\nb: caf\xE9\n")),
              HasSubstr("2:7 the byte 0xE9 is not UTF-8; save the file as UTF-8"));
  EXPECT_THAT(fault_of(parse_yaml(std::string_view("a: x\0y", 6))),
              HasSubstr("1:5 the control character 0x00"));
  EXPECT_THAT(fault_of(parse_yaml("a: \x1B[31m\n")), HasSubstr("the control character 0x1B"));
  EXPECT_THAT(fault_of(parse_yaml("\xFF\xFE"
                                  "a\0")),
              HasSubstr("is not UTF-8"));
  EXPECT_EQ(find_bad_byte("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(find_bad_byte("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(find_bad_byte("\xF4\x90\x80\x80"), 0u);  // beyond Unicode
  EXPECT_EQ(find_bad_byte("a\xE2\x82"), 1u);         // cut off
  EXPECT_EQ(find_bad_byte("\xF0\x9F\x8F\xB4 ä\t\r\n"), std::string_view::npos);
}

TEST(YamlTree, NestingIsBounded) {
  const auto nested = [](int depth) { return "a: " + repeat("[", depth) + repeat("]", depth); };
  EXPECT_TRUE(parse_yaml(nested(19)).complete);
  EXPECT_THAT(fault_of(parse_yaml(nested(20))), HasSubstr("nested deeper than 20 levels"));
}

TEST(YamlTree, AliasBombsAreRefused) {
  std::string laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" +
              repeat("*a" + std::to_string(i - 1) + ", ", 9) + "]\n";
  }
  EXPECT_THAT(fault_of(parse_yaml(laughs)), HasSubstr("once aliases are written out"));

  const std::string fat =
      "a: &a \"" + std::string(100'000, 'x') + "\"\nb: [" + repeat("*a, ", 1000) + "]\n";
  EXPECT_THAT(fault_of(parse_yaml(fat)), HasSubstr("once aliases are written out"));

  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 60; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  EXPECT_THAT(fault_of(parse_yaml(deep)), HasSubstr("nested deeper than 20 levels"));
}

TEST(YamlTree, SizeIsBounded) {
  EXPECT_THAT(fault_of(parse_yaml("a: " + std::string(300 * 1024, 'x'))),
              HasSubstr("bytes are more than the 262144 allowed"));
  EXPECT_THAT(fault_of(parse_yaml("a: [" + repeat("1,", 30'000) + "]")),
              HasSubstr("more than 20000 values"));
}

TEST(YamlTree, HostileTextsEndQuickly) {
  constexpr std::size_t kSize = 250 * 1024;
  for (const std::string_view unit :
       {"[",     "{",     "- ",      "? ", "&a ",  "*a ",  "\"",          "'",
        "a: ",   "[a, ",  "{a: ",    "!",  "!!",   "|\n",  "#",           "%",
        "\n",    "a\n",   " ",       "\t", ":",    ",",    "<<: ",        "- a: ",
        "...\n", "---\n", "a: &x\n", "\\", "&a [", "? - ", "- - - &a *a "}) {
    const auto start = std::chrono::steady_clock::now();
    parse_yaml(repeat(unit, kSize / unit.size()));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(took.count(), 5.0) << "for " << unit;
  }
}

TEST(YamlTree, RandomMutationsNeverThrow) {
  const std::string seed_text =
      "name: scribe\nbrain: {model: &m \"x\", temperature: 0.7}\nlist:\n  - a\n  - [b, *m]\ntext: "
      "|\n  many\n  lines\n<<: {a: b}\n";
  const unsigned seed = 20260207;
  std::mt19937 random(seed);
  constexpr std::string_view kAlphabet = "[]{}&*!|>'\"%@`#:,-?\n\t ab1~\\\x80\xC3";
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed_text;
    for (unsigned i = 0; i < 1 + random() % 6; ++i) {
      const std::size_t at = random() % text.size();
      const char c = kAlphabet[random() % kAlphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1 + random() % 4);
      }
    }
    ASSERT_NO_THROW(parse_yaml(text)) << "seed " << seed << " round " << round << "\n" << text;
  }
}

}  // namespace
}  // namespace botburrow::definitions
