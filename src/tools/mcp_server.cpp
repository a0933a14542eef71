#include "tools/mcp_server.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/metric_table.hpp"
#include "mcp/connect.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace botburrow::tools {

namespace asio = boost::asio;

namespace {

/// Blocks.
std::string file_hash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(errc::io, fmt::format("{} cannot be read", path));
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return sha256_hex(bytes);
}

/// Throws the failure of what comes before a call: whatever it was, the call has not left.
[[noreturn]] void throw_unsent(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    throw Error(errc::mcp_unavailable, error.message(), error.retry()).with_detail("not_sent");
  }
}

}  // namespace

McpServer::McpServer(McpServices services, McpGround ground, McpEntry entry, std::string trust_name,
                     Log log)
    : services_(std::move(services)),
      ground_(std::move(ground)),
      entry_(std::move(entry)),
      trust_name_(std::move(trust_name)),
      log_(log.with({{"server", entry_.name}})) {}

McpServer::~McpServer() {
  count("", 0);
}

void McpServer::count(std::string_view state, double by) {
  auto& family = series_of(services_.metrics, "botburrow_mcp_servers");
  if (!counted_as_.empty()) family.with({entry_.name, counted_as_}).add(-1);
  counted_as_ = std::string(state);
  if (!counted_as_.empty()) family.with({entry_.name, counted_as_}).add(by);
}

// Only the workspace, whatever else an argument asks for: argv can be seen by others.
Task<std::string> McpServer::with_workspace(std::string word) const {
  constexpr std::string_view kPlace = "${WORKSPACE}";
  for (auto at = word.find(kPlace); at != std::string::npos; at = word.find(kPlace, at)) {
    const auto folder = co_await workspace();
    word.replace(at, kPlace.size(), folder);
    at += folder.size();
  }
  co_return word;
}

Task<std::string> McpServer::workspace() const {
  if (!ground_.workspace)
    throw Error(errc::mcp_unavailable, "it needs a workspace, and there is none here");
  return ground_.workspace();
}

// `${NAME}` in the value of a variable.
Task<std::string> McpServer::resolved(std::string text) const {
  std::string out;
  std::string_view rest = text;
  for (;;) {
    const auto at = rest.find("${");
    const auto end = at == std::string_view::npos ? at : rest.find('}', at);
    if (end == std::string_view::npos) {
      out += rest;
      co_return out;
    }
    const std::string name(rest.substr(at + 2, end - at - 2));
    out += rest.substr(0, at);
    rest.remove_prefix(end + 1);
    if (name == "WORKSPACE") {
      out += co_await workspace();
      continue;
    }
    const auto value = services_.credential(name);
    if (value.empty())
      throw Error(errc::mcp_unavailable, fmt::format("its variable {} is not set", name));
    out += value.reveal();
  }
}

Task<mcp::LaunchSpec> McpServer::launch_spec() {
  mcp::LaunchSpec spec{.server = entry_.name, .hosts = entry_.hosts};
  for (const auto& word : entry_.argv)
    spec.argv.push_back(co_await with_workspace(word));
  for (const auto& [name, value] : entry_.environment)
    spec.environment[name] = co_await resolved(value);
  if (ground_.workspace && entry_.needs_workspace()) spec.workspace = co_await ground_.workspace();
  if (!entry_.credential) co_return spec;
  const auto& credential = *entry_.credential;
  const auto value = services_.credential(credential.from);
  if (value.empty()) {
    throw Error(errc::mcp_unavailable,
                fmt::format("its credential {} is not set", credential.from));
  }
  spec.environment[credential.variable] = value.reveal();
  co_return spec;
}

mcp::HttpChannel::Options McpServer::web_options() const {
  mcp::HttpChannel::Options options{.url = entry_.url,
                                    .message_bytes_max = services_.settings.message_bytes_max};
  if (!entry_.credential) return options;
  const auto& credential = *entry_.credential;
  const auto value = services_.credential(credential.from);
  if (value.empty()) {
    throw Error(errc::mcp_unavailable,
                fmt::format("its credential {} is not set", credential.from));
  }
  options.headers.emplace_back(credential.header, Secret(credential.prefix + value.reveal()));
  return options;
}

// The very file that is looked at is the one that runs, wherever a PATH leads a moment later.
Task<> McpServer::check_pin(std::string& program) const {
  if (entry_.sha256.empty()) co_return;
  const auto path = ground_.launcher->find(program);
  if (!path) {
    throw Error(errc::not_found,
                fmt::format("there is no program {} here; install it, or name its path", program));
  }
  const auto found = co_await services_.pool.run([path = *path] { return file_hash(path); });
  if (found != entry_.sha256) {
    throw Error(
        errc::mcp_unavailable,
        fmt::format("{} is not the file that the registry pins: its sha256 is {}", *path, found));
  }
  program = *path;
}

Task<std::unique_ptr<mcp::Client>> McpServer::connect(Deadline deadline) {
  const auto& settings = services_.settings;
  mcp::ClientOptions options{.version = settings.version, .times = settings.times};
  if (!entry_.url.empty()) {
    co_return co_await mcp::connect_http(services_.http, web_options(), std::move(options),
                                         deadline, log_);
  }
  if (!ground_.launcher) {
    throw Error(errc::mcp_unavailable,
                "processes of MCP servers are off here, because there is no sandbox for them; "
                "give the server a url in MCP_SERVERS_FILE");
  }
  auto spec = co_await launch_spec();
  co_await check_pin(spec.argv.front());
  options.root = spec.workspace;
  co_return co_await mcp::connect_stdio(*ground_.launcher, std::move(spec),
                                        {.message_bytes_max = settings.message_bytes_max},
                                        std::move(options), deadline, log_);
}

Task<> McpServer::judge(const std::vector<mcp::ToolDefinition>& now) {
  const auto verdict = co_await services_.trust.check(
      trust_name_, mcp::DefinitionsSeen::of(now, services_.clock.wall()));
  if (verdict.trusted) {
    quarantined_.clear();
    count("running", 1);
    co_return;
  }
  quarantined_ = fmt::format(
      "the tools of the MCP server {} are withheld: their definitions changed, and an operator has "
      "not approved them yet",
      entry_.name);
  count("quarantined", 1);
  log_.warning("mcp_server_quarantined",
               {{"tools", verdict.changed},
                {"msg", fmt::format("look at them, then: botburrow mcp approve {}", trust_name_)}});
}

Task<> McpServer::greet_and_list(Deadline deadline) {
  ++starts_;
  client_ = co_await connect(deadline);
  client_->on_tools_changed([this] { ++changes_told_; });
  const auto told = changes_told_;
  const auto now = co_await client_->list_tools(deadline);
  co_await judge(now);
  changes_judged_ = told;
  // A model keeps the names that it was shown first.
  if (!std::exchange(listed_, true)) tools_ = now;
}

Task<> McpServer::start(Deadline deadline) {
  std::exception_ptr failure;
  try {
    co_await greet_and_list(deadline.sooner_of(services_.settings.start_max));
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shielded(end_client());
  co_await asio::this_coro::throw_if_cancelled(true);
  count("failed", 1);
  std::rethrow_exception(failure);
}

Task<> McpServer::ensure_running(Deadline deadline) {
  // Calls may overlap: one of them starts it, the others wait for that.
  while (const auto under_way = start_under_way_)
    co_await under_way->wait();
  if (client_ && client_->alive()) co_return;
  if (starts_ > services_.settings.restarts_max) {
    throw Error(errc::mcp_unavailable,
                fmt::format("the MCP server {} has ended {} times in this activation, and is not "
                            "started again",
                            entry_.name, starts_))
        .with_detail("not_sent");
  }
  const auto under_way = std::make_shared<StopSource>(co_await asio::this_coro::executor);
  start_under_way_ = under_way;
  if (client_) gone_.push_back(std::move(client_));
  std::exception_ptr failure;
  try {
    co_await start(deadline);
  } catch (...) {
    failure = std::current_exception();
  }
  start_under_way_.reset();
  under_way->stop();
  if (failure) throw_unsent(failure);
}

// A change counts as looked at only with a verdict: no call goes out before there is one.
Task<> McpServer::look_at_changes(Deadline deadline) {
  const auto told = changes_told_;
  if (told == changes_judged_) co_return;
  std::exception_ptr failure;
  try {
    const auto now = co_await client_->list_tools(deadline);
    co_await judge(now);
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (failure) throw_unsent(failure);
  changes_judged_ = std::max(changes_judged_, told);
}

Task<mcp::CallResult> McpServer::call(const mcp::ToolDefinition& tool, json::object arguments,
                                      Deadline deadline) {
  do {
    co_await ensure_running(deadline);
    co_await look_at_changes(deadline.sooner_of(services_.settings.start_max));
    // Another call may have found it dead meanwhile, and not started it again.
  } while (!client_);
  if (!quarantined_.empty())
    throw Error(errc::mcp_unavailable, quarantined_).with_detail("not_sent");
  mcp::Client::Call call{.tool = tool.name,
                         .arguments = std::move(arguments),
                         .input_schema = tool.input_schema,
                         .output_schema = tool.output_schema};
  co_return co_await client_->call(std::move(call), deadline);
}

Task<> McpServer::end_client() {
  if (!client_) co_return;
  co_await client_->close();
  client_.reset();
}

Task<> McpServer::stop() {
  co_await end_client();
  for (auto& client : gone_)
    co_await client->close();
  gone_.clear();
  count("", 0);
}

}  // namespace botburrow::tools
