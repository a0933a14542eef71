// The house stands as it is drawn: what the linker cannot see is read here.
#include "tests/base/source_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <regex>
#include <sstream>

namespace botburrow {
namespace {

using test::files_below;
using test::name_of;
using test::text_of;
using testing::ElementsAre;
using testing::IsEmpty;

// The floor of each room. A room sees itself and the floors below its own; its neighbours on the
// same floor it does not know. Another arrow is a change of this table.
const std::map<std::string, int> kFloors = {
    {"cli", 6},  // puts the parts together
    {"coordinator", 5}, {"runner", 5},      {"hub", 5},    {"assistant", 5},  // services
    {"console", 5},                                                           // a page for people
    {"agent", 4},       {"executors", 4},  // what an activation is
    {"tools", 3},                          // what an agent may do
    {"queue", 2},       {"definitions", 2}, {"hubapi", 2}, {"llm", 2},
    {"mcp", 2},         {"sandbox", 2},  // one outside world each
    {"net", 1},                          // sockets and processes
    {"base", 0},                         // what every room could want
};

struct Include {
  int line = 0;
  std::string path;
};

std::vector<Include> includes_of(const std::string& text) {
  static const std::regex form(R"re(^\s*#\s*include\s*"([^"]*)".*)re");
  std::vector<Include> found;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::smatch match;
    if (std::regex_match(line, match, form)) found.push_back({number, match[1]});
  }
  return found;
}

// Why a file of `room` may not include `path`; nothing when it may.
std::optional<std::string> fault_of(const std::string& room, const std::string& path) {
  const auto slash = path.find('/');
  if (slash == std::string::npos) return "is not a path from src/ on";
  const auto other = path.substr(0, slash);
  if (!kFloors.contains(other)) return "is in no room of the table";
  if (other == room) return std::nullopt;
  const int here = kFloors.at(room), there = kFloors.at(other);
  if (there < here) return std::nullopt;
  return there == here ? "points sideways: rooms on one floor do not know each other" : "points up";
}

std::vector<std::string> faults_of(const std::string& room, const std::string& file,
                                   const std::string& text) {
  std::vector<std::string> faults;
  for (const auto& include : includes_of(text)) {
    if (const auto fault = fault_of(room, include.path)) {
      faults.push_back(file + ":" + std::to_string(include.line) + ": \"" + include.path + "\" " +
                       *fault);
    }
  }
  return faults;
}

bool is_source(const std::filesystem::path& file) {
  return file.extension() == ".cpp" || file.extension() == ".hpp";
}

std::string room_of(const std::filesystem::path& file) {
  const auto inside = name_of(file).substr(4);
  return inside.substr(0, inside.find('/'));
}

TEST(Floors, EveryArrowPointsDown) {
  std::vector<std::string> faults;
  int read = 0;
  for (const auto& file : files_below("src")) {
    if (!is_source(file) || !kFloors.contains(room_of(file))) continue;
    ++read;
    for (auto& fault : faults_of(room_of(file), name_of(file), text_of(file)))
      faults.push_back(std::move(fault));
  }

  EXPECT_THAT(faults, IsEmpty());
  EXPECT_GT(read, 100);
}

TEST(Floors, EveryFolderIsARoomOfTheTable) {
  std::vector<std::string> strangers;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_root() / "src")) {
    const auto name = entry.path().filename().string();
    if (!entry.is_directory() || !kFloors.contains(name)) strangers.push_back(name);
  }

  EXPECT_THAT(strangers, IsEmpty());
}

TEST(Floors, EveryRoomSaysWhatItIsFor) {
  for (const auto& entry : std::filesystem::directory_iterator(test::source_root() / "src")) {
    const auto readme = entry.path() / "README.md";
    ASSERT_TRUE(std::filesystem::exists(readme)) << name_of(readme);
    EXPECT_GT(text_of(readme).size(), 400U) << name_of(readme);
  }
}

TEST(Floors, TheReaderOfArrowsSeesWrongOnes) {
  const std::string text =
      "#include \"runner/runner.hpp\"\n"
      "#include <vector>\n"
      "  #  include \"hub/server.hpp\"  // why\n"
      "#include \"cli/parts.hpp\"\n"
      "#include \"queue/work_queue.hpp\"\n"
      "#include \"work_queue.hpp\"\n"
      "#include \"attic/box.hpp\"\n";

  EXPECT_THAT(
      faults_of("runner", "f.cpp", text),
      ElementsAre(
          "f.cpp:3: \"hub/server.hpp\" points sideways: rooms on one floor do not know each other",
          "f.cpp:4: \"cli/parts.hpp\" points up",
          "f.cpp:6: \"work_queue.hpp\" is not a path from src/ on",
          "f.cpp:7: \"attic/box.hpp\" is in no room of the table"));
  EXPECT_THAT(faults_of("base", "f.cpp", "#include \"net/redis.hpp\"\n"),
              ElementsAre("f.cpp:1: \"net/redis.hpp\" points up"));
  EXPECT_TRUE(fault_of("queue", "hubapi/client.hpp"));
  EXPECT_TRUE(fault_of("runner", "coordinator/coordinator.hpp"));
  EXPECT_TRUE(fault_of("tools", "agent/activation.hpp"));
  EXPECT_FALSE(fault_of("cli", "coordinator/coordinator.hpp"));
  EXPECT_FALSE(fault_of("cli", "base/error.hpp"));
}

// Names of folders that exist on the machines of some of us only.
std::vector<std::string> private_names() {
  return {std::string("/wo") + "rk/", std::string("../sha") + "red"};
}

bool is_text(const std::filesystem::path& file) {
  static const std::vector<std::string> kinds = {".cpp", ".hpp",   ".lua",  ".md",  ".html",
                                                 ".css", ".js",    ".yaml", ".yml", ".sh",
                                                 ".txt", ".cmake", ".json", ""};
  return std::find(kinds.begin(), kinds.end(), file.extension()) != kinds.end();
}

TEST(Sources, NameNoFolderOutsideTheRepository) {
  std::vector<std::string> faults;
  auto files = files_below("src");
  for (const auto* folder : {"docs", "examples", "cmake", "web", "bench"}) {
    if (!std::filesystem::exists(test::source_root() / folder)) continue;
    const auto more = files_below(folder);
    files.insert(files.end(), more.begin(), more.end());
  }
  for (const auto& entry : std::filesystem::directory_iterator(test::source_root())) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  for (const auto& file : files) {
    if (!is_text(file)) continue;
    std::istringstream lines(text_of(file));
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      for (const auto& name : private_names()) {
        if (line.find(name) != std::string::npos)
          faults.push_back(name_of(file) + ":" + std::to_string(number) + ": " + name);
      }
    }
  }

  EXPECT_THAT(faults, IsEmpty());
}

}  // namespace
}  // namespace botburrow
