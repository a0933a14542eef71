// How large things have become, and where waiting is mixed with deciding. Sizes are read off the
// layout that clang-format gives every file.
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace botburrow {
namespace {

using test::files_below;
using test::name_of;
using test::text_of;
using testing::IsEmpty;

constexpr std::size_t kFileLinesMax = 500;
constexpr std::size_t kFileLinesMedian = 150;
constexpr std::size_t kFunctionLinesMedian = 8;
constexpr std::size_t kFunctionLines95 = 50;

/// Files under src/ that name Asio, for each room at most, and why they do. All others decide
/// without waiting, or wait through base/task.hpp alone.
struct Waiting {
  std::size_t files;
  const char* why;
};
const std::map<std::string, Waiting> kWaiting = {
    {"base", {12, "tasks, timers, bells and stopping are made of it here, once"}},
    {"net", {26, "sockets, HTTP, Redis and child processes are its purpose"}},
    {"sandbox", {15, "the egress proxy, and the wire to process 1 of a sandbox"}},
    {"cli", {15, "starts the loops that services run on, and their signals; verify's wire"}},
    {"mcp", {5, "the executor that channels are given, and a server on standard input"}},
    {"hub", {4, "the executor of the one io thread, and what posts to it from the database's"}},
    {"agent", {3, "tools that run side by side"}},
    {"tools", {3, "the executor of servers that are started"}},
    {"coordinator", {1, "the term that ends what runs in it"}},
    {"llm", {1, "addresses of hosts that get a vendor's key"}},
    {"queue", {1, "completions that travel together"}},
    {"runner", {1, "slots side by side"}},
};

bool is_source(const std::filesystem::path& file) {
  return file.extension() == ".cpp" || file.extension() == ".hpp";
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

std::size_t indent_of(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

bool begins_with_keyword(const std::string& line) {
  const auto text = line.substr(indent_of(line));
  for (const char* word :
       {"namespace", "struct ", "class ", "enum ", "union ", "extern ", "inline namespace", "if ",
        "for ", "while ", "switch", "else", "do ", "try", "return", "case ", "using ", "}", "{"}) {
    if (text.starts_with(word)) return true;
  }
  return false;
}

int open_brackets(const std::string& line) {
  return static_cast<int>(std::ranges::count(line, '(') - std::ranges::count(line, ')'));
}

/// Where the signature that ends at `last` begins; nothing where it is none.
std::optional<std::size_t> signature_of(const std::vector<std::string>& lines, std::size_t last) {
  int open = 0;
  for (std::size_t i = last + 1; i-- > 0 && last - i < 8;) {
    if (lines[i].empty() || begins_with_keyword(lines[i])) return std::nullopt;
    open += open_brackets(lines[i]);
    // What follows the first line of a signature closes what was opened there, or gives members
    // their values.
    if (open < 0 || lines[i].substr(indent_of(lines[i])).starts_with(": ")) continue;
    if (indent_of(lines[i]) > 2) {
      if (i == last) return std::nullopt;
      continue;
    }
    return lines[i].find('(') == std::string::npos ? std::nullopt : std::optional(i);
  }
  return std::nullopt;
}

/// Lines of each function of a file, one of a single line as 1.
std::vector<std::size_t> function_sizes(const std::vector<std::string>& lines) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    if (line.empty()) continue;
    if (line.ends_with(" {") && !line.ends_with("= {") && !line.ends_with("[] {")) {
      const auto first = signature_of(lines, i);
      if (!first) continue;
      const auto closing = std::string(indent_of(lines[*first]), ' ') + "}";
      auto end = i + 1;
      while (end < lines.size() && lines[end] != closing)
        ++end;
      sizes.push_back(end - *first + 1);
    } else if (indent_of(line) <= 2 && line.ends_with("}") && !begins_with_keyword(line) &&
               line.find(") {") + line.find(") const {") != 2 * std::string::npos) {
      sizes.push_back(1);
    }
  }
  return sizes;
}

std::size_t at_part(std::vector<std::size_t>& sizes, double part) {
  std::ranges::sort(sizes);
  return sizes.at(static_cast<std::size_t>(static_cast<double>(sizes.size() - 1) * part));
}

TEST(House, NoFileIsLongerThanOneReadsAtASitting) {
  std::vector<std::string> too_long;
  std::vector<std::size_t> sizes;
  for (const auto& file : files_below("src")) {
    if (!is_source(file)) continue;
    sizes.push_back(lines_of(text_of(file)).size());
    if (sizes.back() > kFileLinesMax) too_long.push_back(name_of(file));
  }
  EXPECT_THAT(too_long, IsEmpty()) << "split it along what it holds";
  EXPECT_LE(at_part(sizes, 0.5), kFileLinesMedian);
}

TEST(House, FunctionsAreSmall) {
  std::vector<std::size_t> sizes;
  for (const auto& file : files_below("src")) {
    if (!is_source(file)) continue;
    const auto found = function_sizes(lines_of(text_of(file)));
    sizes.insert(sizes.end(), found.begin(), found.end());
  }
  EXPECT_GT(sizes.size(), 3000u) << "the reader of functions sees too few";
  EXPECT_LE(at_part(sizes, 0.5), kFunctionLinesMedian);
  EXPECT_LE(at_part(sizes, 0.95), kFunctionLines95);
}

TEST(House, TheReaderOfFunctionsCounts) {
  EXPECT_EQ(function_sizes(lines_of("int a(int b) {\n  return b;\n}\n\nint c() { return 1; }\n")),
            (std::vector<std::size_t>{3, 1}));
  EXPECT_EQ(function_sizes(lines_of("struct S {\n  void f(int a,\n         int b) {\n    g();\n  "
                                    "}\n};\n")),
            (std::vector<std::size_t>{4}));
  EXPECT_EQ(function_sizes(lines_of("namespace n {\nconstexpr int k[] = {\n    1,\n};\n}\n")),
            (std::vector<std::size_t>{}));
}

TEST(House, FewFilesWaitByThemselves) {
  std::map<std::string, std::size_t> waiting;
  for (const auto& file : files_below("src")) {
    const auto text = is_source(file) ? text_of(file) : "";
    if (text.find("#include <boost/asio") == std::string::npos &&
        text.find("#include <boost/beast") == std::string::npos)
      continue;
    const auto inside = name_of(file).substr(4);
    ++waiting[inside.substr(0, inside.find('/'))];
  }
  for (const auto& [room, count] : waiting) {
    const auto known = kWaiting.find(room);
    ASSERT_NE(known, kWaiting.end()) << room << " waits through base/task.hpp alone";
    EXPECT_LE(count, known->second.files) << room << ": " << known->second.why;
  }
}

}  // namespace
}  // namespace botburrow
