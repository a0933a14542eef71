#include "cli/parts.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/metric_table.hpp"
#include "base/version.hpp"
#include "llm/key_hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace botburrow::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kPoolThreads = 2;
constexpr auto kLookPeriod = 1s;
constexpr auto kLookTime = 5s;
/// A runner may have a thousand of these: each answer comes in pieces of a few words.
constexpr std::size_t kModelBufferBytes = 2 * 1024;
constexpr std::size_t kHubBufferBytes = 16 * 1024;

net::HttpClient::Options client_options(std::size_t connections_max, std::size_t buffer_bytes) {
  return {.connections_max = connections_max,
          .receive_buffer_bytes = buffer_bytes,
          .user_agent = fmt::format("botburrow-agents/{}", version())};
}

std::map<std::string, Secret> agent_keys(const Settings& settings) {
  std::map<std::string, Secret> keys;
  // A coordinator acts for nobody: it is not given the keys of agents.
  if ((find_setting("AGENT_KEYS")->services & services_of_program(settings.program())) == 0)
    return keys;
  for (const auto& [agent, key] : settings.secret_map("AGENT_KEYS"))
    keys.emplace(agent, key);
  return keys;
}

std::size_t kilobytes(const Settings& settings, std::string_view name) {
  return static_cast<std::size_t>(settings.integer(name)) * 1024;
}

llm::PriceTable price_table(const Settings& settings) {
  llm::PriceTable prices;
  if (const auto file = settings.find_text("MODEL_COSTS_FILE"))
    prices.read(read_text_file(*file), *file);
  return prices;
}

}  // namespace

llm::ProviderSettings provider_settings(const Environment& environment, const Settings& settings) {
  llm::ProviderSettings out;
  out.mode = llm::parse_llm_mode(settings.text("LLM_MODE")).value_or(llm::LlmMode::vendor);
  const auto allowed = settings.list("AGENT_KEY_ENV_ALLOW");
  out.key = [&environment, &settings, allowed](std::string_view name) {
    if (const auto* spec = find_setting(name); spec && spec->secret) return settings.secret(name);
    const bool listed = std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    auto key = Secret(listed ? environment.variable(name).value_or("") : "");
    environment.scrubber->add(key);
    return key;
  };
  out.ollama_host = settings.text("OLLAMA_HOST");
  out.anthropic_base_url = settings.text("ANTHROPIC_BASE_URL");
  out.openai_base_url = settings.text("OPENAI_BASE_URL");
  out.default_api_base = settings.text("DEFAULT_API_BASE");
  out.default_api_style = settings.text("DEFAULT_API_STYLE");
  out.agent_key_env_allow = allowed;
  out.model_hosts_allow = settings.list("MODEL_HOSTS_ALLOW");
  for (const auto& entry : out.model_hosts_allow) {
    if (const auto fault = llm::model_host_fault(entry))
      throw Error(errc::bad_settings,
                  fmt::format("config error: MODEL_HOSTS_ALLOW: \"{}\" {}", entry, *fault));
  }
  out.timeout = settings.seconds("LLM_TIMEOUT");
  out.max_retries = static_cast<int>(settings.integer("LLM_MAX_RETRIES"));
  return out;
}

Ground ground_of(boost::asio::any_io_executor executor, const Context& context,
                 const Settings& settings, Log log) {
  return {.executor = std::move(executor),
          .environment = context.environment,
          .settings = settings,
          .clock = system_clock(),
          .random = system_random(),
          .log = std::move(log)};
}

QueueParts::QueueParts(const Ground& g, const std::string& url, const std::string& name,
                       Metrics& metrics)
    : commands(g.executor, net::parse_redis_url(url), {.name = name}, g.log, g.random),
      waits(g.executor, net::parse_redis_url(url), {.name = name + "-waits"}, g.log, g.random),
      queue(commands, waits, g.clock, g.log, &metrics,
            {.max_wait = g.settings.seconds("QUEUE_MAX_WAIT"),
             .metrics_per_agent = g.settings.boolean("METRICS_PER_AGENT")}),
      state(commands, g.log, &metrics),
      journal(commands, g.settings.seconds("JOURNAL_KEPT")),
      view(commands, g.log),
      heartbeats(commands) {
  auto& up = series_of(metrics, "botburrow_redis_up").with({});
  metrics.on_collect([this, &up] { up.set(commands.usable() ? 1 : 0); });
}

void QueueParts::start() {
  commands.start();
  waits.start();
}

Task<> QueueParts::stop() {
  co_await waits.stop();
  co_await commands.stop();
}

HubParts::HubParts(const Ground& g, const std::string& url, Secret key, Metrics& metrics)
    : http(g.executor, client_options(100, kHubBufferBytes)),
      hub(http, {.url = url, .service_key = std::move(key), .agent_keys = agent_keys(g.settings)},
          g.random, g.log, metrics) {}

namespace {

// A coordinator alone does not know what its runners are given. A fault of the file ends a runner's
// start a moment later, in its own words.
definitions::ParseOptions parse_options_of_service(const Settings& settings) {
  auto options = parse_options(settings);
  options.mcp_servers_complete = false;
  if ((services_of_program(settings.program()) & service::kRunner) != 0)
    know_mcp_servers(options, settings.text("MCP_SERVERS_FILE"));
  return options;
}

}  // namespace

DefinitionParts::DefinitionParts(const Ground& g, const std::string& keep_folder, net::Redis& redis,
                                 Metrics& metrics)
    : source(g.settings.text("AGENT_DEFINITIONS_PATH"), parse_options_of_service(g.settings),
             g.clock),
      pool(kPoolThreads),
      catalog(source, pool, {.keep_dir = keep_folder}, g.log, metrics),
      cache(redis, g.log) {}

Task<> DefinitionParts::look() {
  // The source by value: one more read that may hang, and outlive everything.
  usable_ = co_await pool.run_or_leave([source = source] { return source.usable(); });
}

Task<> DefinitionParts::watch_loop() {
  for (;;) {
    try {
      co_await with_deadline("looking for the definitions", Deadline::in(kLookTime), look());
    } catch (const Error&) {
      usable_ = false;
    }
    co_await sleep_for(kLookPeriod);
  }
}

ModelParts::ModelParts(const Ground& g, Metrics& metrics)
    // One connection an activation: as many as a runner may have waiting.
    : http(g.executor, client_options(4096, kModelBufferBytes)),
      prices(price_table(g.settings)),
      models(provider_settings(g.environment, g.settings), http, g.random, g.log, &metrics) {}

tools::McpRegistry with_programs_here(
    tools::McpRegistry registry, const std::map<std::string, std::string, std::less<>>& commands) {
  // The built-in name of our own program means this very file.
  if (auto desk = *registry.find("desk"); !desk.argv.empty() && desk.argv.front() == "botburrow") {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) desk.argv.front() = self.string();
    registry.set(std::move(desk));
  }
  const auto entries = registry.entries();
  for (auto [name, entry] : entries) {
    std::string star = name;
    std::ranges::transform(star, star.begin(), [](char c) {
      if (c >= 'a' && c <= 'z') return static_cast<char>(c - 32);
      return c == '-' ? '_' : c;
    });
    const auto command = commands.find(star);
    if (command == commands.end() || entry.argv.empty()) continue;
    entry.argv.front() = command->second;
    registry.set(std::move(entry));
  }
  return registry;
}

namespace {

tools::McpSettings mcp_settings(const Settings& settings) {
  return {
      .start_max = settings.seconds("MCP_START_TIMEOUT"),
      .times = {.quiet_max = settings.seconds("MCP_TIMEOUT"),
                .total_max = settings.seconds("MCP_CALL_MAX")},
      .restarts_max = static_cast<int>(settings.integer("MCP_RESTARTS")),
      .message_bytes_max = static_cast<std::size_t>(settings.integer("MCP_OUTPUT_LIMIT_KB")) * 1024,
      .version = std::string(version()),
      .own = {.commands_allowed = settings.list("MCP_COMMAND_ALLOW"),
              .variables_allowed = settings.list("AGENT_KEY_ENV_ALLOW")}};
}

}  // namespace

McpParts::McpParts(const Ground& g, net::Redis& redis, BlockingPool& pool, Metrics& metrics)
    : http(g.executor, client_options(256, kHubBufferBytes)),
      registry(with_programs_here(tools::load_mcp_registry(g.settings.text("MCP_SERVERS_FILE")),
                                  g.settings.family("MCP_*_COMMAND"))),
      settings(mcp_settings(g.settings)),
      trust(redis),
      services{.registry = registry,
               .settings = settings,
               .http = http,
               .trust = trust,
               .pool = pool,
               .clock = g.clock,
               .metrics = metrics,
               .credential = [&environment = g.environment,
                              &settings = g.settings](const std::string& name) {
                 const auto* spec = find_setting(name);
                 const bool ours =
                     spec && (spec->services & services_of_program(settings.program())) != 0;
                 if (ours && spec->secret) return settings.secret(name);
                 auto value = Secret(environment.variable(name).value_or(""));
                 environment.scrubber->add(value);
                 return value;
               }} {}

sandbox::SandboxSettings sandbox_settings(const Settings& settings, const std::string& path) {
  const auto backend = settings.text("SANDBOX_BACKEND");
  return {.workspace_root = settings.text("WORKSPACE_ROOT"),
          .quota_bytes = kilobytes(settings, "WORKSPACE_QUOTA_MB") * 1024,
          .limits = {.memory_bytes = settings.size_bytes("SANDBOX_MEMORY"),
                     .cpu = settings.number("SANDBOX_CPU")},
          .backend = backend == "bwrap"      ? sandbox::Backend::bwrap
                     : backend == "landlock" ? sandbox::Backend::landlock
                                             : sandbox::Backend::automatic,
          .private_allow = settings.list("EGRESS_PRIVATE_ALLOW"),
          .path = path,
          .read_only = settings.list("SANDBOX_READ_ONLY")};
}

std::map<std::string, sandbox::ModelRoute> model_routes(const Settings& settings) {
  std::map<std::string, sandbox::ModelRoute> routes;
  const auto add = [&](const char* provider, std::string base_url, const char* key_name) {
    const auto key = settings.secret(key_name);
    if (key.empty()) return;
    const bool anthropic = std::string_view(provider) == "anthropic";
    sandbox::ModelRoute route{
        .base_url = std::move(base_url),
        .api = anthropic ? sandbox::ModelApi::anthropic : sandbox::ModelApi::openai};
    if (anthropic)
      route.headers.emplace_back("x-api-key", key);
    else
      route.headers.emplace_back("Authorization", Secret("Bearer " + key.reveal()));
    routes.emplace(provider, std::move(route));
  };
  const auto base = [&](const char* setting, const char* standard) {
    return settings.find_text(setting).value_or(standard);
  };
  add("anthropic", base("ANTHROPIC_BASE_URL", "https://api.anthropic.com"), "ANTHROPIC_API_KEY");
  add("openai", base("OPENAI_BASE_URL", "https://api.openai.com/v1"), "OPENAI_API_KEY");
  add("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GOOGLE_API_KEY");
  add("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY");
  // It asks for no key.
  routes.emplace("ollama",
                 sandbox::ModelRoute{.base_url = llm::ollama_url(settings.text("OLLAMA_HOST")),
                                     .api = sandbox::ModelApi::ollama});
  return routes;
}

definitions::ParseOptions parse_options(const Settings& settings) {
  definitions::ParseOptions options;
  options.strict = settings.boolean("STRICT_AGENT_CONFIG");
  options.default_type = settings.text("DEFAULT_EXECUTOR");
  options.default_brain.model = settings.text("DEFAULT_MODEL");
  options.default_brain.temperature = settings.number("DEFAULT_TEMPERATURE");
  options.default_brain.max_tokens = static_cast<int>(settings.integer("DEFAULT_MAX_TOKENS"));
  for (const auto& name : settings.list("AGENT_KEY_ENV_ALLOW"))
    options.api_key_env_allow.insert(name);
  return options;
}

std::string know_mcp_servers(definitions::ParseOptions& options, const std::string& servers_file) {
  options.mcp_servers_complete = false;
  try {
    const auto registry = tools::load_mcp_registry(servers_file);
    for (const auto& [name, entry] : registry.entries()) {
      options.mcp_servers_known.insert(name);
      for (const auto& grant : {entry.read_grant, entry.write_grant})
        if (!grant.empty()) options.grants_known.insert(grant);
    }
    options.mcp_servers_complete = true;
    return "";
  } catch (const Error& error) {
    return error.message();
  }
}

agent::ActivationSettings activation_settings(const Settings& settings, const std::string& path,
                                              const Log& log) {
  agent::ActivationSettings out;
  if (settings.is_set("MAX_ITERATIONS"))
    out.iterations_max = static_cast<int>(settings.integer("MAX_ITERATIONS"));
  out.tokens_max = settings.integer("MAX_TOKENS_PER_ACTIVATION");
  out.notifications_max = static_cast<int>(settings.integer("MAX_NOTIFICATIONS_PER_ACTIVATION"));
  out.caps = {.daily_tokens = settings.integer("DAILY_TOKEN_LIMIT"),
              .monthly_cost_usd = settings.number("MONTHLY_COST_LIMIT")};
  out.budget_fails_closed = settings.text("BUDGET_FAIL_MODE") == "closed";
  out.path = path;
  out.tools.files.read_bytes_max = kilobytes(settings, "FILE_READ_LIMIT_KB");
  out.tools.output_bytes_max = kilobytes(settings, "TOOL_OUTPUT_LIMIT_KB");
  const auto file = settings.text("AGENT_PERMISSIONS_PATH");
  if (auto policy = definitions::load_policy(file)) {
    out.policy = std::move(*policy);
  } else {
    const bool allow = settings.text("PERMISSIONS_DEFAULT") != "deny";
    out.policy =
        allow ? definitions::GrantPolicy::allow_all() : definitions::GrantPolicy::deny_all();
    log.info("permissions_default", {{"file", file},
                                     {"msg", allow ? "no policy file: agents hold what they request"
                                                   : "no policy file: no grants are held"}});
  }
  return out;
}

}  // namespace botburrow::cli
