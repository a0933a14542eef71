#include "tools/bash_tool.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "tools/arguments.hpp"
#include "tools/bash_rules.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

namespace botburrow::tools {
namespace {

/// Room for starting, ending and telling of it before the activation itself must end.
constexpr std::chrono::milliseconds kRest{500};

/// Of what an answer may have, for the note on what is left out.
constexpr std::size_t kNoteBytes = 128;

// Never a credential: whatever the agent runs can read it.
std::vector<std::string> base_environment() {
  std::vector<std::string> variables{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/workspace",
                                     "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"};
  for (auto& variable : sandbox::Place::proxy_environment())
    variables.push_back(std::move(variable));
  return variables;
}

std::string with_gap(std::string text, std::size_t omitted) {
  if (omitted == 0) return text;
  // Kept are a head and a tail of the same length.
  text.insert(text.size() / 2, fmt::format("\n[… {} bytes left out …]\n", omitted));
  return text;
}

ToolOutput output_of(const sandbox::CommandResult& result, std::chrono::seconds allowed,
                     const sandbox::SandboxLimits& limits) {
  const auto& process = result.process;
  ToolOutput output{.output = with_gap(process.out, process.out_omitted)};
  output.exit_code = process.status.code;
  if (result.cut != sandbox::Cut::none) {
    output.error = "Command ended: it " + sandbox::cut_text(result.cut, limits);
  } else if (process.timed_out) {
    output.error = fmt::format("Command timed out after {} seconds", allowed.count());
  } else if (!process.status.ok()) {
    output.error = with_gap(process.err, process.err_omitted);
    if (output.error.empty() && process.status.signal != 0)
      output.error = fmt::format("Command ended by signal {}", process.status.signal);
    if (output.error.empty())
      output.error = fmt::format("Command failed with code {}", process.status.code);
  } else if (!process.err.empty()) {
    // Warnings of a command that went well are of use, but no fault.
    output.output +=
        (output.output.empty() ? "" : "\n") + with_gap(process.err, process.err_omitted);
  }
  return output;
}

std::string description_of(const definitions::Shell& shell) {
  const auto& names = shell.allowed_commands.empty() ? harmless_programs() : shell.allowed_commands;
  return fmt::format(
      "Run one command in your workspace, without a network. Allowed programs: {}. Pipes and other "
      "shell syntax work only where bash or sh is among them.",
      fmt::join(names, ", "));
}

class Bash final : public Tool {
 public:
  Bash(sandbox::Place& place, definitions::Shell shell, std::size_t output_bytes_max)
      : place_(place),
        shell_(std::move(shell)),
        output_bytes_max_(output_bytes_max),
        spec_{.name = "Bash",
              .description = description_of(shell_),
              .input_schema =
                  object_schema({{"command", text_property("The command.")}}, {"command"})} {}
  const llm::ToolSpec& spec() const override { return spec_; }

  Task<ToolOutput> call(json::value arguments, Deadline deadline) override {
    auto plan = plan_command(shell_, text_argument(arguments, "command"));
    if (!plan) co_return ToolOutput::refused(plan.error().text, plan.error().missing);
    if (auto why = co_await place_.refusal(sandbox::Need::shell))
      co_return ToolOutput::refused(*why);
    const auto allowed = std::min(std::chrono::seconds(shell_.timeout_seconds),
                                  std::chrono::ceil<std::chrono::seconds>(deadline.left() - kRest));
    if (allowed.count() <= 0) co_return ToolOutput::failed("no time is left for a command");
    const auto room = co_await place_.sandbox();
    sandbox::Command command{.argv = std::move(plan->argv),
                             .environment = base_environment(),
                             .only_itself = plan->only_itself,
                             .output_bytes_max = output_bytes_max_ - kNoteBytes};
    const auto result =
        co_await sandbox::run_command(*room, std::move(command), "", Deadline::in(allowed));
    place_.changed();
    co_return output_of(result, allowed, room->limits());
  }

 private:
  sandbox::Place& place_;
  definitions::Shell shell_;
  std::size_t output_bytes_max_;
  llm::ToolSpec spec_;
};

}  // namespace

std::unique_ptr<Tool> make_bash_tool(sandbox::Place& place, definitions::Shell shell,
                                     std::size_t output_bytes_max) {
  return std::make_unique<Bash>(place, std::move(shell), output_bytes_max);
}

}  // namespace botburrow::tools
