#include "executors/cli_model.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/stop.hpp"
#include "sandbox/program.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::executors {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kOutputBytesMax = 4u << 20;
constexpr std::size_t kComplaintBytesMax = 400;
constexpr auto kGrace = 5s;
constexpr std::string_view kToolsPath = "/_/mcp/hub";

/// Of an answer. A Hub takes less; the journal, which keeps every answer, not much more.
constexpr std::size_t kAnswerBytesMax = 256u << 10;

/// The transcript in the two texts that command-line agents take.
void add_texts(Job& job, const std::vector<llm::Message>& messages) {
  for (const auto& message : messages) {
    if (message.text.empty()) continue;
    auto& text = message.role == llm::Role::system ? job.system_prompt : job.prompt;
    if (!text.empty()) text += "\n\n";
    text += message.text;
  }
}

// What stands at the end of its stderr, on one line.
std::string complaint(std::string_view err) {
  if (err.size() > kComplaintBytesMax) err.remove_prefix(err.size() - kComplaintBytesMax);
  std::string text = valid_utf8(err);
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

CliModel::CliModel(Parts parts) : parts_(std::move(parts)) {}

Plan CliModel::plan_in(const sandbox::Sandbox& sandbox, const Job& job) const {
  return parts_.executor.plan(
      job, {.program = parts_.program, .workspace = sandbox.workspace(), .home = sandbox.home()});
}

Task<sandbox::CommandResult> CliModel::run_in(sandbox::Sandbox& sandbox, Plan plan,
                                              Deadline deadline) {
  sandbox::Command command{
      .argv = plan.argv,
      .environment = sandbox::program_environment(sandbox.home(), plan.environment),
      .want_stdin = true,
      .output_bytes_max = kOutputBytesMax};
  sandbox::CommandResult result;
  const auto work = [](sandbox::Sandbox& sandbox, sandbox::Command command, std::string input,
                       Deadline deadline, sandbox::CommandResult& result) -> Task<> {
    result = co_await sandbox::run_command(sandbox, std::move(command), std::move(input), deadline,
                                           kGrace);
  };
  // A tool that threw what ends the activation ends the program too.
  co_await run_bounded(work(sandbox, std::move(command), std::move(plan.input), deadline, result),
                       Deadline::never(), parts_.tools->broken());
  co_return result;
}

Task<sandbox::CommandResult> CliModel::run(Job job, Deadline deadline) {
  auto extra = parts_.sandbox;
  extra.local = [tools =
                     parts_.tools](sandbox::LocalRequest request) -> Task<sandbox::LocalAnswer> {
    if (!request.path.starts_with(kToolsPath)) co_return sandbox::LocalAnswer{};
    net::ServerRequest asked{.method = std::move(request.method),
                             .path = std::move(request.path),
                             .headers = std::move(request.headers),
                             .body = std::move(request.body)};
    auto given = co_await tools->serve(std::move(asked));
    sandbox::LocalAnswer answer{.status = given.status, .body = std::move(given.body)};
    for (const auto& [name, value] : given.headers)
      if (name == "Content-Type" || name == "content-type") answer.content_type = value;
    co_return answer;
  };
  extra.home_files = [this, &job](const sandbox::Sandbox& sandbox) {
    std::map<std::string, std::string> files;
    for (auto& file : plan_in(sandbox, job).files)
      files[file.path] = std::move(file.text);
    return files;
  };
  const auto sandbox = co_await parts_.place.extra_sandbox(std::move(extra));
  auto plan = plan_in(*sandbox, job);
  co_return co_await with_cleanup(run_in(*sandbox, std::move(plan), deadline),
                                  [&sandbox] { return sandbox->stop(); });
}

std::string CliModel::fault_of(const sandbox::CommandResult& result, const Report& report) const {
  if (result.cut != sandbox::Cut::none)
    return "it was ended: it " + sandbox::cut_text(result.cut, parts_.limits);
  const auto& status = result.process.status;
  if (status.ok()) return report.error;
  // What it says in its own form is worth more than what it says to a terminal.
  if (report.turns > 0 && !report.error.empty()) return report.error;
  const auto end = status.signal != 0 ? fmt::format("it was ended by signal {}", status.signal)
                                      : fmt::format("it ended with exit code {}", status.code);
  const auto said = complaint(result.process.err);
  return said.empty() ? end : fmt::format("{}; its stderr ends: {}", end, said);
}

llm::ModelAnswer CliModel::answer_of(const sandbox::CommandResult& result) const {
  const auto report = parts_.executor.read(result.process.out, result.process.err);
  if (report.usage.estimated) {
    parts_.log.warning("executor_tokens_unknown",
                       {{"executor", parts_.type},
                        {"msg", "it does not say how many tokens it used: they count as none"}});
  }
  llm::ModelAnswer answer{.text = std::string(utf8_prefix(report.text, kAnswerBytesMax)),
                          .usage = report.usage,
                          .model = parts_.job.model,
                          .provider = parts_.job.provider,
                          .cost_usd = report.cost_usd};
  if (report.usage.estimated && !answer.cost_usd) answer.cost_usd = 0;
  answer.failure = fault_of(result, report);
  return answer;
}

Task<llm::ModelAnswer> CliModel::complete(const llm::ModelRequest& request, Deadline deadline) {
  auto job = parts_.job;
  job.tools = parts_.tools->names();
  add_texts(job, request.messages);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(deadline.left());
  parts_.log.info("executor_started", {{"executor", parts_.type}, {"model", job.model}});
  sandbox::CommandResult result;
  std::exception_ptr failure;
  try {
    result = co_await run(std::move(job), deadline);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await shielded(failure ? parts_.tools->stop() : parts_.tools->finish());
  co_await boost::asio::this_coro::throw_if_cancelled(true);
  parts_.place.changed();
  if (parts_.tools->failure()) std::rethrow_exception(parts_.tools->failure());
  if (failure) std::rethrow_exception(failure);
  if (result.process.timed_out) {
    throw Error(errc::timeout,
                fmt::format("Execution timed out after {} seconds", seconds.count()));
  }
  co_return answer_of(result);
}

}  // namespace botburrow::executors
