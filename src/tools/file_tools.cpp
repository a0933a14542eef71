#include "tools/file_tools.hpp"

#include "base/json.hpp"
#include "tools/arguments.hpp"
#include "tools/text_edit.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::tools {
namespace {

using sandbox::FileFault;
using sandbox::Patience;
using sandbox::WorkspaceFiles;
using Files = std::shared_ptr<WorkspaceFiles>;
using Stopped = BlockingPool::Stopped;

ToolOutput output_of(const FileFault& fault) {
  if (fault.kind == FileFault::Kind::escapes) return ToolOutput::refused(fault.text);
  return ToolOutput::failed(fault.text);
}

class FileTool : public Tool {
 public:
  FileTool(sandbox::Place& place, FileToolLimits limits, llm::ToolSpec spec)
      : place_(place), limits_(limits), spec_(std::move(spec)) {}
  const llm::ToolSpec& spec() const override { return spec_; }

 protected:
  /// Runs `body(files, patience)` where it may block.
  template <class Body>
  Task<ToolOutput> on_files(Deadline deadline, Body body) {
    if (auto why = co_await place_.refusal(sandbox::Need::files))
      co_return ToolOutput::refused(*why);
    const auto files = co_await place_.files();
    auto call = [files, deadline, body = std::move(body)](const Stopped& stopped) {
      return body(*files, Patience{.deadline = deadline, .stopped = stopped});
    };
    co_return co_await place_.pool().run_stoppable(std::move(call));
  }

  sandbox::Place& place_;
  FileToolLimits limits_;

 private:
  llm::ToolSpec spec_;
};

ToolOutput shown(const sandbox::FileLines& lines) {
  if (lines.binary) return ToolOutput::ok(fmt::format("[binary file, {} bytes]", lines.file_bytes));
  if (!lines.more) return ToolOutput::ok(lines.text);
  return ToolOutput::ok(
      fmt::format("{}\n[the file goes on: {} bytes in all; read on with offset and limit]",
                  utf8_prefix(lines.text, lines.text.size()), lines.file_bytes));
}

class Read final : public FileTool {
 public:
  Read(sandbox::Place& place, FileToolLimits limits)
      : FileTool(place, limits,
                 {.name = "Read",
                  .description = "Read a text file of your workspace.",
                  .input_schema = object_schema(
                      {{"file_path", text_property("Path in the workspace.")},
                       {"offset", number_property("First line to read, counted from 1.")},
                       {"limit", number_property("How many lines to read.")}},
                      {"file_path"})}) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const auto path = text_argument(arguments, "file_path");
    sandbox::LineRange range{.bytes_max = limits_.read_bytes_max};
    const auto offset = int_field(arguments, "offset").value_or(1);
    range.first = static_cast<std::uint64_t>(std::max<std::int64_t>(offset, 1));
    if (const auto limit = int_field(arguments, "limit"))
      range.count = static_cast<std::uint64_t>(std::max<std::int64_t>(*limit, 0));
    return on_files(deadline, [path, range](WorkspaceFiles& files, const Patience& patience) {
      const auto lines = files.read_lines(path, range, patience);
      return lines ? shown(*lines) : output_of(lines.error());
    });
  }
};

class Write final : public FileTool {
 public:
  Write(sandbox::Place& place, FileToolLimits limits)
      : FileTool(
            place, limits,
            {.name = "Write",
             .description = "Write a file of your workspace: the whole text, in place of what "
                            "was there. Folders are made.",
             .input_schema = object_schema({{"file_path", text_property("Path in the workspace.")},
                                            {"content", text_property("The whole new text.")}},
                                           {"file_path", "content"})}) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const auto path = text_argument(arguments, "file_path");
    const auto content = text_argument(arguments, "content");
    return on_files(deadline, [path, content](WorkspaceFiles& files, const Patience& patience) {
      const auto done = files.write(path, content, patience);
      return done ? ToolOutput::ok("File written: " + valid_utf8(path)) : output_of(done.error());
    });
  }
};

class Edit final : public FileTool {
 public:
  Edit(sandbox::Place& place, FileToolLimits limits)
      : FileTool(
            place, limits,
            {.name = "Edit",
             .description = "Replace a text in a file of your workspace: its first occurrence, or "
                            "all of them.",
             .input_schema =
                 object_schema({{"file_path", text_property("Path in the workspace.")},
                                {"old_text", text_property("The text that is there, exactly.")},
                                {"new_text", text_property("What is to stand in its place.")},
                                {"replace_all", flag_property("Replace every occurrence.")}},
                               {"file_path", "old_text", "new_text"})}) {}

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    const auto path = text_argument(arguments, "file_path");
    const TextEdit edit{.old_text = text_argument(arguments, "old_text"),
                        .new_text = text_argument(arguments, "new_text"),
                        .all = bool_field(arguments, "replace_all").value_or(false)};
    const auto bytes_max = limits_.read_bytes_max;
    return on_files(deadline, [=](WorkspaceFiles& files, const Patience& patience) {
      const auto before = files.read_all(path, bytes_max);
      if (!before) return output_of(before.error());
      const auto after = apply(edit, *before, bytes_max);
      if (!after) return ToolOutput::failed(after.error());
      const auto done = files.write(path, *after, patience);
      return done ? ToolOutput::ok("File edited: " + valid_utf8(path)) : output_of(done.error());
    });
  }
};

}  // namespace

std::vector<std::unique_ptr<Tool>> make_file_tools(sandbox::Place& place, FileToolLimits limits) {
  std::vector<std::unique_ptr<Tool>> tools;
  tools.push_back(std::make_unique<Read>(place, limits));
  tools.push_back(std::make_unique<Write>(place, limits));
  tools.push_back(std::make_unique<Edit>(place, limits));
  return tools;
}

}  // namespace botburrow::tools
