#include "cli/program_agents.hpp"

#include "base/error.hpp"
#include "cli/parts.hpp"
#include "executors/cli_model.hpp"
#include "tools/bash_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace botburrow::cli {
namespace {

std::string unavailable(const definitions::AgentDefinition& definition, std::string_view why) {
  return fmt::format("Executor '{}' not available: {}", definition.type_name, why);
}

llm::Brain brain_of(const definitions::Brain& brain) {
  return {.provider = brain.provider,
          .model = brain.model,
          .api_base = brain.api_base,
          .api_key_env = brain.api_key_env};
}

executors::Job::Api api_of(llm::Api api) {
  switch (api) {
    case llm::Api::anthropic:
      return executors::Job::Api::anthropic;
    case llm::Api::ollama:
      return executors::Job::Api::ollama;
    case llm::Api::openai:
    case llm::Api::offline:
      break;
  }
  return executors::Job::Api::openai;
}

// As the program speaks, so it may call.
sandbox::ModelApi calls_of(executors::Job::Api api) {
  switch (api) {
    case executors::Job::Api::anthropic:
      return sandbox::ModelApi::anthropic;
    case executors::Job::Api::ollama:
      return sandbox::ModelApi::ollama;
    case executors::Job::Api::openai:
      break;
  }
  return sandbox::ModelApi::openai;
}

sandbox::ModelRoute route_to(const llm::ProviderConfig& provider) {
  sandbox::ModelRoute route{.base_url = provider.api_base, .api = calls_of(api_of(provider.api))};
  if (provider.key.empty()) return route;
  if (provider.api == llm::Api::anthropic)
    route.headers.emplace_back("x-api-key", provider.key);
  else
    route.headers.emplace_back("Authorization", Secret("Bearer " + provider.key.reveal()));
  return route;
}

}  // namespace

ProgramAgents::ProgramAgents(const Ground& ground, sandbox::Sandboxes& sandboxes, std::string path)
    : settings_(ground.settings),
      sandboxes_(sandboxes),
      path_(std::move(path)),
      programs_(ground.settings.family("EXECUTOR_*_COMMAND")),
      providers_(provider_settings(ground.environment, ground.settings)) {
  // A model that is asked for by a program is a vendor's, or there is none.
  providers_.mode = llm::LlmMode::vendor;
}

std::string ProgramAgents::program_of(const definitions::AgentDefinition& definition) const {
  // What a custom agent's command may be is said by MCP_COMMAND_ALLOW.
  std::string star = definition.type == definitions::ExecutorType::custom
                         ? std::string()
                         : std::string(name_of(definition.type));
  std::ranges::transform(star, star.begin(), [](char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  const auto named = programs_.find(star);
  return named != programs_.end() ? named->second
                                  : executors::find_executor(definition)->program(definition);
}

std::optional<std::string> ProgramAgents::program_fault(
    const definitions::AgentDefinition& definition) const {
  const auto* const executor = executors::find_executor(definition);
  if (!executor) return "there is no such executor";
  if (settings_.text("LLM_MODE") == "offline")
    return "command-line agents need a model of a vendor, and LLM_MODE is offline";
  const auto program = program_of(definition);
  const auto allowed = settings_.list("MCP_COMMAND_ALLOW");
  if (definition.type == definitions::ExecutorType::custom &&
      std::ranges::find(allowed, program) == allowed.end()) {
    return fmt::format("its command \"{}\" is not on MCP_COMMAND_ALLOW", program);
  }
  if (!sandbox::locate_program(program, path_, {}))
    return program.starts_with('/') ? fmt::format("there is no program {}", program)
                                    : fmt::format("there is no program {} in PATH", program);
  return std::nullopt;
}

Task<std::optional<std::string>> ProgramAgents::refusal(
    std::shared_ptr<const definitions::AgentDefinition> definition) {
  if (const auto fault = program_fault(*definition)) co_return unavailable(*definition, *fault);
  const auto report = co_await sandboxes_.tier();
  if (report.programs) co_return std::nullopt;
  co_return unavailable(*definition, "no sandbox for programs: " + report.reason);
}

std::vector<std::string> ProgramAgents::kinds() const {
  std::vector<std::string> names;
  const auto& report = sandboxes_.known_tier();
  if (!report || !report->programs || settings_.text("LLM_MODE") == "offline") return names;
  using definitions::ExecutorType;
  for (const auto type : {ExecutorType::claude_code, ExecutorType::goose, ExecutorType::aider,
                          ExecutorType::opencode}) {
    definitions::AgentDefinition definition{.type = type};
    if (sandbox::locate_program(program_of(definition), path_, {}))
      names.emplace_back(name_of(type));
  }
  if (!settings_.list("MCP_COMMAND_ALLOW").empty()) names.emplace_back("custom");
  return names;
}

std::map<std::string, std::string> ProgramAgents::custom_environment(
    const definitions::AgentDefinition& definition) const {
  const auto allowed = settings_.list("AGENT_KEY_ENV_ALLOW");
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : definition.executor.env) {
    if (!value.starts_with("${") || !value.ends_with("}")) {
      out[name] = value;
      continue;
    }
    const auto wanted = value.substr(2, value.size() - 3);
    if (std::ranges::find(allowed, wanted) == allowed.end()) {
      throw Error(
          errc::definition_invalid,
          fmt::format("executor.env.{} asks for {}, which AGENT_KEY_ENV_ALLOW does not name", name,
                      wanted));
    }
    out[name] = providers_.key(wanted).reveal();
  }
  return out;
}

executors::Job ProgramAgents::job_for(const agent::OutsideRun& run,
                                      const llm::ProviderConfig& provider) const {
  const auto& definition = *run.definition;
  const auto& shell = definition.capabilities.shell;
  executors::Job job{.provider = definition.brain.provider,
                     .model = definition.brain.model,
                     .api = api_of(provider.api),
                     .turns_max = run.turns_max,
                     .budget_usd = run.budget_usd,
                     .custom = definition.executor};
  if (shell.enabled)
    job.shell =
        shell.allowed_commands.empty() ? tools::harmless_programs() : shell.allowed_commands;
  if (definition.type == definitions::ExecutorType::custom)
    job.custom_environment = custom_environment(definition);
  return job;
}

Task<std::shared_ptr<llm::Model>> ProgramAgents::model_for(agent::OutsideRun run) {
  const auto& definition = *run.definition;
  if (const auto refused = co_await refusal(run.definition))
    throw Error(errc::model_unavailable, *refused);
  const auto& executor = *executors::find_executor(definition);
  // A command of an operator's own may need no model.
  llm::ProviderConfig provider;
  const bool own = definition.type == definitions::ExecutorType::custom;
  auto choice = llm::choose_provider(brain_of(definition.brain), providers_);
  if (!own || !choice.key_missing)
    provider = llm::resolve_provider(brain_of(definition.brain), providers_, std::nullopt);
  auto job = job_for(run, provider);
  if (const auto fault = executor.fault(job)) throw Error(errc::definition_invalid, *fault);
  const auto program = run.place.locate(program_of(definition));
  if (!program)
    throw Error(errc::model_unavailable, unavailable(definition, "its program has gone"));
  sandbox::Place::Extra extra{.read_only = program->read_only,
                              .network = {.enabled = definition.network.enabled,
                                          .allowed_hosts = definition.network.allowed_hosts,
                                          .blocked_hosts = definition.network.blocked_hosts}};
  if (!provider.api_base.empty()) extra.routes.emplace(job.provider, route_to(provider));
  co_return std::make_shared<executors::CliModel>(
      executors::CliModel::Parts{.executor = executor,
                                 .place = run.place,
                                 .tools = run.tools,
                                 .job = std::move(job),
                                 .program = program->path,
                                 .type = definition.type_name,
                                 .sandbox = std::move(extra),
                                 .limits = sandboxes_.settings().limits,
                                 .log = run.log});
}

}  // namespace botburrow::cli
