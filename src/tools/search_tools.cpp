#include "tools/search_tools.hpp"

#include "base/json.hpp"
#include "tools/arguments.hpp"
#include "tools/glob_pattern.hpp"
#include "tools/line_search.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using sandbox::Patience;
using sandbox::WalkEnd;
using sandbox::WorkspaceFiles;
using Stopped = BlockingPool::Stopped;

constexpr auto kSearchTime = 30s;
constexpr std::size_t kFilesMax = 10'000;
/// Longer than the answer of any tool may be by default; what is beyond would be cut anyway.
constexpr std::size_t kFoundBytesMax = 1u << 20;
constexpr const char* kTimedOut = "Search timed out";

/// Why a walk did not see everything, or nothing.
std::string incomplete(WalkEnd end) {
  if (end == WalkEnd::stopped) return "\n[there is more; search for less]";
  if (end == WalkEnd::too_many) return "\n[the workspace is too large to be searched as a whole]";
  return "";
}

ToolOutput run_glob(WorkspaceFiles& files, const GlobPattern& pattern, const Patience& patience) {
  std::vector<std::string> found;
  const auto end = files.look(".", patience, [&](const sandbox::WalkedEntry& entry) {
    if (!S_ISDIR(entry.status.st_mode) && pattern.matches(entry.path)) found.push_back(entry.path);
    return found.size() < kFilesMax;
  });
  if (!end) return ToolOutput::failed(end.error().text);
  if (*end == WalkEnd::out_of_time) return ToolOutput::failed(kTimedOut);
  if (found.empty()) return ToolOutput::ok("No files found matching pattern." + incomplete(*end));
  std::ranges::sort(found);
  return ToolOutput::ok(fmt::format("{}{}", fmt::join(found, "\n"), incomplete(*end)));
}

ToolOutput run_grep(WorkspaceFiles& files, const LinearRegex& pattern, const std::string& start,
                    const Patience& patience) {
  std::string found;
  bool late = false;
  const auto end = files.look(start, patience, [&](const sandbox::WalkedEntry& entry) {
    if (!S_ISREG(entry.status.st_mode)) return true;
    // It may have become something else since: opening says.
    const auto fd = files.open_file(entry.path);
    if (fd) late = !search_lines(fd->get(), entry.path, pattern, patience, kFoundBytesMax, found);
    return !late && found.size() < kFoundBytesMax;
  });
  if (!end) {
    const bool escapes = end.error().kind == sandbox::FileFault::Kind::escapes;
    return escapes ? ToolOutput::refused(end.error().text) : ToolOutput::failed(end.error().text);
  }
  if (late || *end == WalkEnd::out_of_time) return ToolOutput::failed(kTimedOut);
  if (found.empty()) return ToolOutput::ok("No matches found." + incomplete(*end));
  found.pop_back();  // The last line's end.
  return ToolOutput::ok(found + incomplete(*end));
}

class SearchTool : public Tool {
 public:
  SearchTool(sandbox::Place& place, llm::ToolSpec spec) : place_(place), spec_(std::move(spec)) {}
  const llm::ToolSpec& spec() const override { return spec_; }

 protected:
  template <class Body>
  Task<ToolOutput> on_files(Deadline deadline, Body body) {
    if (auto why = co_await place_.refusal(sandbox::Need::files))
      co_return ToolOutput::refused(*why);
    const auto files = co_await place_.files();
    auto call = [files, deadline = deadline.sooner_of(kSearchTime),
                 body = std::move(body)](const Stopped& stopped) {
      return body(*files, Patience{.deadline = deadline, .stopped = stopped});
    };
    co_return co_await place_.pool().run_stoppable(std::move(call));
  }

 private:
  sandbox::Place& place_;
  llm::ToolSpec spec_;
};

class Glob final : public SearchTool {
 public:
  explicit Glob(sandbox::Place& place)
      : SearchTool(place, {.name = "Glob",
                           .description = "List the files of your workspace whose path matches a "
                                          "pattern, such as **/*.md.",
                           .input_schema = object_schema(
                               {{"pattern", text_property("Relative to the workspace; * within a "
                                                          "folder, ** over folders.")}},
                               {"pattern"})}) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    auto parsed = GlobPattern::parse(text_argument(arguments, "pattern"));
    if (!parsed) co_return ToolOutput::refused("Glob: " + parsed.error());
    const auto pattern = std::make_shared<const GlobPattern>(std::move(*parsed));
    co_return co_await on_files(deadline,
                                [pattern](WorkspaceFiles& files, const Patience& patience) {
                                  return run_glob(files, *pattern, patience);
                                });
  }
};

class Grep final : public SearchTool {
 public:
  explicit Grep(sandbox::Place& place)
      : SearchTool(
            place,
            {.name = "Grep",
             .description = "Find the lines of files in your workspace that match a regular "
                            "expression.",
             .input_schema = object_schema(
                 {{"pattern", text_property("Regular expression (RE2 syntax).")},
                  {"path", text_property("File or folder to look in; the whole workspace else.")}},
                 {"pattern"})}) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    auto parsed = LinearRegex::parse(text_argument(arguments, "pattern"));
    if (!parsed)
      co_return ToolOutput::failed("Grep: the pattern cannot be read: " + parsed.error());
    const auto pattern = std::make_shared<const LinearRegex>(std::move(*parsed));
    const auto path = text_argument(arguments, "path");
    co_return co_await on_files(deadline,
                                [pattern, path](WorkspaceFiles& files, const Patience& patience) {
                                  return run_grep(files, *pattern, path, patience);
                                });
  }
};

}  // namespace

std::vector<std::unique_ptr<Tool>> make_search_tools(sandbox::Place& place) {
  std::vector<std::unique_ptr<Tool>> tools;
  tools.push_back(std::make_unique<Glob>(place));
  tools.push_back(std::make_unique<Grep>(place));
  return tools;
}

}  // namespace botburrow::tools
