#include "mcp/client.hpp"

#include "base/error.hpp"
#include "mcp/request_headers.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {
namespace {

/// Rounds in which a server may put a call off with a state to come back with.
constexpr int kRoundsMax = 8;
constexpr std::size_t kErrorBytesMax = 2000;

Error error_of(const RpcError& error) {
  return Error(errc::mcp_error, fmt::format("MCP error {}: {}", error.code,
                                            clean_text(utf8_prefix(error.message, kErrorBytesMax))))
      .with_detail(fmt::format("{}", error.code));
}

}  // namespace

Client::Client(std::unique_ptr<Channel> channel, ClientOptions options, Log log)
    : channel_(std::move(channel)), options_(std::move(options)), log_(std::move(log)) {
  channel_->attach(*this);
}

Client::~Client() = default;

json::object Client::own_info() const {
  return {{"name", options_.name}, {"version", options_.version}};
}

json::object Client::modern_meta() const {
  return {{meta::kProtocolVersion, kModern},
          {meta::kClientInfo, own_info()},
          {meta::kClientCapabilities, json::object()}};
}

Task<Message> Client::exchange(Exchange exchange) {
  exchange.id = ++last_id_;
  return channel_->exchange(std::move(exchange));
}

Task<json::object> Client::request(std::string method, json::object params, Deadline deadline,
                                   net::HttpHeaders headers,
                                   std::function<void(const Message&)> on_progress) {
  Exchange one{.method = std::move(method),
               .params = std::move(params),
               .headers = std::move(headers),
               .times = options_.times,
               .on_progress = std::move(on_progress)};
  one.times.deadline = one.times.deadline.sooner_of(deadline);
  json::object about = modern() ? modern_meta() : json::object();
  // Its own id is the token, so that progress finds its request.
  if (one.on_progress) about[meta::kProgressToken] = last_id_ + 1;
  if (!about.empty()) one.params["_meta"] = std::move(about);
  auto answer = co_await exchange(std::move(one));
  if (answer.kind == Message::Kind::error) throw error_of(answer.error);
  co_return std::move(answer.result);
}

// Nothing: it did not answer, or not as a server of the modern era does.
Task<std::optional<Message>> Client::probe(Deadline deadline) {
  Exchange one{.method = "server/discover",
               .params = {{"_meta", modern_meta()}},
               .times = {.quiet_max = options_.probe_max,
                         .total_max = options_.probe_max,
                         .deadline = deadline},
               .cancellable = false};
  try {
    co_return co_await exchange(std::move(one));
  } catch (const Error& error) {
    const bool silent = error.code() == errc::timeout && !deadline.passed();
    const bool refused = error.code() == errc::http_status && error.status() >= 400 &&
                         error.status() < 500 && error.status() != 401 && error.status() != 403;
    if (!silent && !refused) throw;
  }
  co_return std::nullopt;
}

void Client::take_discovery(const json::object& result) {
  const json::value value(result);
  if (const auto* about = find_field(value, "_meta")) {
    if (const auto* info = find_field(*about, meta::kServerInfo)) facts_.info = *info;
  }
  if (const auto* capabilities = find_field(value, "capabilities")) {
    if (const auto* tools = find_field(*capabilities, "tools"))
      facts_.tells_changes = bool_field(*tools, "listChanged").value_or(false);
  }
}

Task<> Client::initialize(std::string revision, Deadline deadline) {
  Exchange one{.method = "initialize",
               .params = {{"protocolVersion", revision},
                          {"capabilities", json::object()},
                          {"clientInfo", own_info()}},
               .times = {.quiet_max = std::chrono::hours(1),
                         .total_max = std::chrono::hours(1),
                         .deadline = deadline},
               .cancellable = false};
  const auto answer = co_await exchange(std::move(one));
  if (answer.kind == Message::Kind::error) throw error_of(answer.error);
  const json::value result(answer.result);
  facts_.revision = string_field(result, "protocolVersion").value_or("");
  if (const auto fault = initialize_fault(facts_.revision)) throw Error(errc::protocol, *fault);
  take_discovery(answer.result);
  if (const auto* info = find_field(result, "serverInfo")) facts_.info = *info;
  channel_->speaks(facts_.revision);
  co_await channel_->notify("notifications/initialized", {}, deadline);
}

Task<> Client::start(Greeting greeting, Deadline deadline) {
  ProbeVerdict verdict{.next = ProbeVerdict::Next::initialize,
                       .revision = std::string(kNewestLegacy)};
  std::optional<Message> discovery;
  if (greeting == Greeting::any) {
    discovery = co_await probe(deadline);
    verdict = after_probe(discovery);
  }
  switch (verdict.next) {
    case ProbeVerdict::Next::give_up:
      throw Error(errc::protocol, verdict.fault);
    case ProbeVerdict::Next::initialize:
      co_await initialize(verdict.revision, deadline);
      break;
    case ProbeVerdict::Next::modern:
      facts_.revision = verdict.revision;
      channel_->speaks(facts_.revision);
      take_discovery(discovery->result);
      break;
  }
  if (!facts_.tells_changes) co_return;
  json::object params;
  if (modern()) {
    params = {{"_meta", modern_meta()}, {"notifications", {{"toolsListChanged", true}}}};
  }
  channel_->listen_for_changes(modern() ? ++last_id_ : 0, std::move(params));
}

void Client::leave_out_bad_headers(std::vector<ToolDefinition>& tools) const {
  std::erase_if(tools, [this](const ToolDefinition& tool) {
    const auto fault = mirrored_params(tool.input_schema).fault;
    if (fault.empty()) return false;
    log_.warning("mcp_tool_refused", {{"tool", clean_text(tool.name)}, {"fault", fault}});
    return true;
  });
}

Task<std::vector<ToolDefinition>> Client::list_tools(Deadline deadline) {
  ToolPages pages(options_.tools_max);
  std::optional<std::string> cursor;
  do {
    json::object params;
    if (cursor) params["cursor"] = *cursor;
    const auto page = co_await request("tools/list", std::move(params), deadline);
    cursor = pages.take(page);
  } while (cursor);
  for (const auto& fault : pages.faults())
    log_.warning("mcp_tool_refused", {{"fault", fault}});
  auto tools = pages.take_tools();
  if (modern() && channel_->uses_headers()) leave_out_bad_headers(tools);
  co_return tools;
}

Task<CallResult> Client::call(Call call, Deadline deadline) {
  const auto headers = modern() && channel_->uses_headers()
                           ? param_headers(call.input_schema, call.arguments)
                           : net::HttpHeaders();
  const auto on_progress = [hear = call.on_progress](const Message& message) {
    if (!hear) return;
    const json::value params(message.params);
    hear(number_field(params, "progress").value_or(0), number_field(params, "total"),
         clean_text(string_field(params, "message").value_or("")));
  };
  // Rounds share one hard end.
  const auto end = deadline.sooner_of(options_.times.total_max);
  std::optional<std::string> state;
  for (int round = 0; round < kRoundsMax; ++round) {
    json::object params{{"name", call.tool}, {"arguments", call.arguments}};
    if (state) params["requestState"] = *state;
    json::object result;
    try {
      result = co_await request("tools/call", std::move(params), end, headers, on_progress);
    } catch (const Error& error) {
      // The server has had the call since the first round.
      if (round == 0 || error.detail() != "not_sent") throw;
      throw Error(error).with_detail("maybe_sent");
    }
    const auto unfinished = unfinished_result(result);
    if (!unfinished) co_return read_call_result(result, call.output_schema);
    if (!unfinished->fault.empty()) throw Error(errc::protocol, unfinished->fault);
    state = unfinished->request_state;
  }
  throw Error(errc::protocol, fmt::format("the server put the call off {} times", kRoundsMax));
}

void Client::heard(const Message& notification) {
  log_.debug("mcp_notification_received",
             {{"method", clean_text(utf8_prefix(notification.method, 100))}});
  if (notification.method == "notifications/tools/list_changed" && on_tools_changed_)
    on_tools_changed_();
}

std::string Client::answer(const Message& request) {
  if (request.method == "ping") return result_text(request.id, {});
  if (request.method == "roots/list" && !options_.root.empty()) {
    json::array roots{{{"uri", "file://" + options_.root}, {"name", "workspace"}}};
    return result_text(request.id, {{"roots", std::move(roots)}});
  }
  return error_text(request.id, {.code = rpc_code::kMethodNotFound,
                                 .message = "this client offers no such method"});
}

}  // namespace botburrow::mcp
