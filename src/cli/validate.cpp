#include "definitions/validate.hpp"

#include "base/settings.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/parts.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <system_error>

namespace botburrow::cli {
namespace {

struct ValidateFlags {
  std::vector<std::string> paths;
  definitions::ValidateOptions options;
  std::string severity = "all";
  bool as_json = false;
};

// What a runner with these settings would say when it joins key and URL.
std::optional<definitions::KeyFault> key_fault(const definitions::Brain& brain,
                                               const llm::ProviderSettings& settings) {
  const auto refusal = llm::find_key_refusal({.provider = brain.provider,
                                              .model = brain.model,
                                              .api_base = brain.api_base,
                                              .api_key_env = brain.api_key_env},
                                             settings);
  if (!refusal) return std::nullopt;
  const auto field = refusal->field.substr(refusal->field.find('.') + 1);
  return definitions::KeyFault{
      .field = field, .message = refusal->message, .fix = refusal->fix, .certain = refusal->named};
}

int run_validate(const Context& context, ValidateFlags flags) {
  // What the operator allows and offers changes what is right; no other setting matters here.
  const Settings settings = Settings::read(sources_of(context.environment, {}, ""), "");
  for (std::string& name : settings.list("AGENT_KEY_ENV_ALLOW"))
    flags.options.parse.api_key_env_allow.insert(std::move(name));
  flags.options.parse.key_fault = [providers = provider_settings(context.environment, settings)](
                                      const auto& brain) { return key_fault(brain, providers); };
  flags.options.parse.strict = settings.boolean("STRICT_AGENT_CONFIG");
  const auto servers_file = settings.text("MCP_SERVERS_FILE");
  const auto trouble = know_mcp_servers(flags.options.parse, servers_file);
  if (!trouble.empty()) std::fprintf(stderr, "warning: %s\n", trouble.c_str());
  // The runners' file may be elsewhere, where nobody says so.
  std::error_code ignored;
  if (!std::filesystem::exists(servers_file, ignored))
    flags.options.parse.mcp_servers_complete = false;
  const auto report = definitions::validate(flags.paths, flags.options);
  const auto floor =
      definitions::find_severity_floor(flags.severity).value_or(definitions::Severity::info);
  const std::string text = flags.as_json ? definitions::to_json_text(report, floor)
                                         : definitions::to_text(report, floor);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return report.ok() ? exit_code::kDone : exit_code::kBadData;
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ValidateFlags>();
  CLI::App* command = app.add_subcommand(
      "validate", "Check agent definitions and skills: file, line, field, problem, fix");
  command
      ->add_option(
          "path", flags->paths,
          "Repository, agents/ or skills/ folder, one agent's or skill's folder, or a file")
      ->type_name("PATH")
      ->required();
  command
      ->add_option("--root", flags->options.root,
                   "Where skills are looked up (default: found from each path)")
      ->type_name("DIR");
  command->add_flag("--strict", flags->options.strict, "Warnings count as errors");
  command->add_flag("--fail-fast", flags->options.fail_fast,
                    "Stop after the first agent or skill with an error");
  command->add_option("--severity", flags->severity, "Least severity to show")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(std::set<std::string>{"error", "warning", "info", "all"}));
  command->add_flag("--json", flags->as_json, "Machine-readable answer");
  on_run(*command, context, [&context, flags] { return run_validate(context, *flags); });
}

}  // namespace botburrow::cli
