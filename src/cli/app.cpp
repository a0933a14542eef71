#include "cli/app.hpp"

#include "base/version.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "definitions/nearest.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace botburrow::cli {
namespace {

constexpr const char* kFooter =
    "Settings come from flags, then the environment, then .env, then defaults: `botburrow "
    "config`.\n"
    "Exit codes: 0 done, 1 failed, 64 usage, 65 bad input, 69 not reachable or port in use,\n"
    "70 internal, 78 settings, 124 time-out, 130 interrupted.";

/// The command the words so far have named.
const CLI::App* innermost(const CLI::App* app) {
  while (!app->get_subcommands().empty())
    app = app->get_subcommands().front();
  return app;
}

std::string full_name(const CLI::App* app) {
  std::string out = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent())
    out = app->get_name() + " " + out;
  return out;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '\r') c = ' ';
  return printable(text);
}

/// `error: what`, and where to read on. Always 64.
int usage_error(const CLI::App* app, std::string_view what) {
  std::fprintf(stderr, "error: %s (see: %s --help)\n", one_line(std::string(what)).c_str(),
               full_name(innermost(app)).c_str());
  return exit_code::kUsage;
}

std::vector<std::string> commands_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app->get_options())
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  return names;
}

/// A word where a command belongs is the commonest slip and deserves its own sentence.
std::string parse_fault(const CLI::App* app, const CLI::ParseError& error) {
  const CLI::App* command = innermost(app);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto extras = app->remaining(true);
    const std::string word = extras.empty() ? "" : extras.front();
    const bool expects_command =
        !command->get_subcommands([](const CLI::App*) { return true; }).empty();
    if (word.starts_with('-')) {
      return fmt::format("unknown flag {}{}", word,
                         definitions::did_you_mean(word, flags_of(command)));
    }
    if (expects_command) {
      return fmt::format("unknown command \"{}\"{}", word,
                         definitions::did_you_mean(word, commands_of(command)));
    }
    return fmt::format("unexpected argument \"{}\"", word);
  }
  return error.what();
}

/// The words behind `--` of a command that runs another belong to that one, flags and all: the
/// parser would look for its own among them.
void cut_command(Context& context, int& argc, char** argv) {
  const std::vector<std::string_view> words(argv, argv + argc);
  const bool runs_another =
      argc > 2 && words[1] == "mcp" && (words[2] == "tools" || words[2] == "call");
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (!runs_another || dashes == words.end()) return;
  context.command.assign(dashes + 1, words.end());
  argc = static_cast<int>(dashes - words.begin());
}

int parse_and_run(CLI::App& app, Context& context, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    // Help for a word that is no command would hide that it is none.
    if (!app.remaining(true).empty())
      return usage_error(&app, parse_fault(&app, CLI::ExtrasError(std::vector<std::string>{})));
    const CLI::App* command = innermost(&app);
    const std::string text =
        command->help(command->get_parent() ? full_name(command->get_parent()) : "");
    std::fwrite(text.data(), 1, text.size(), stdout);
    return exit_code::kDone;
  } catch (const CLI::CallForVersion& version) {
    std::printf("%s\n", version.what());
    return exit_code::kDone;
  } catch (const CLI::ParseError& error) {
    return usage_error(&app, parse_fault(&app, error));
  }
  if (!context.run) return usage_error(&app, "a command is missing");
  try {
    return context.run();
  } catch (...) {
    return report_failure(std::current_exception());
  }
}

/// The answer must have arrived: a full disk or a reader gone is no success.
int finish_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (errno != EPIPE)
    std::fprintf(stderr, "error: the answer could not be written: %s\n", std::strerror(errno));
  return code == exit_code::kDone ? exit_code::kFailed : code;
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Context& context) {
  auto app = std::make_unique<CLI::App>(
      "Runs agents that live in a Hub: every mention answered, once.", "botburrow");
  app->set_version_flag("--version", fmt::format("botburrow {} ({})", version(), commit()),
                        "Show the version and exit");
  app->set_help_flag("-h,--help", "Show this help and exit");
  app->require_subcommand(0, 1);
  app->get_formatter()->column_width(34);
  add_up(*app, context);
  add_demo(*app, context);
  add_status(*app, context);
  add_why(*app, context);
  add_doctor(*app, context);
  add_verify(*app, context);
  add_agents_state(*app, context);
  add_queue(*app, context);
  add_activations(*app, context);
  add_runners(*app, context);
  add_backoff(*app, context);
  add_dead(*app, context);
  add_replay(*app, context);
  add_backup(*app, context);
  add_restore(*app, context);
  add_coordinator(*app, context);
  add_runner(*app, context);
  add_hub(*app, context);
  add_mcp(*app, context);
  add_validate(*app, context);
  add_config(*app, context);
  add_reference(*app, context);
  add_bench(*app, context);
  add_completion(*app, context);
  app->footer(kFooter);  // last, or every subcommand would repeat it
  return app;
}

namespace {

// Keys are in memory: it goes into no core dump, and no other process of this user looks into it.
// What is started later is not held to the second.
void keep_memory_private() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace

int run(int argc, char** argv) {
  // A peer that hangs up is an error of that write, never the end of the process.
  ::signal(SIGPIPE, SIG_IGN);
  keep_memory_private();
  try {
    Context context{.environment = Environment::of_process(), .run = {}};
    const auto app = make_app(context);
    cut_command(context, argc, argv);
    return finish_output(parse_and_run(*app, context, argc, argv));
  } catch (...) {
    return report_failure(std::current_exception());
  }
}

}  // namespace botburrow::cli
