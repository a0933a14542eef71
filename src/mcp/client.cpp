#include "mcp/client.hpp"

#include "base/bell.hpp"
#include "base/cleanup.hpp"
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

/// A greeting has no time of its own: the start's deadline ends it.
constexpr auto kUntilDeadline = std::chrono::hours(1);

// Silence to the end, or the status by which a server behind HTTP may say that it does not know
// discover.
bool says_nothing(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (error.code() == errc::timeout) return true;
    return error.code() == errc::http_status && error.status() >= 400 && error.status() < 500 &&
           error.status() != 401 && error.status() != 403;
  } catch (...) {
    return false;
  }
}

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

/// The two greetings under way: what came of each so far.
class Client::Asking {
 public:
  struct Reply {
    bool sent = false;
    std::optional<Message> answer;
    std::exception_ptr failure;
    bool over() const { return answer || failure; }
  };

  Asking(Client& client, boost::asio::any_io_executor executor)
      : client_(client), news_(executor), tasks_(executor) {}

  void send(Reply& reply, Exchange request) {
    reply.sent = true;
    tasks_.spawn(request.method, [this, &reply, request]() -> Task<> {
      try {
        reply.answer = co_await client_.exchange(request);
      } catch (...) {
        reply.failure = std::current_exception();
      }
      news_.ring();
    });
  }

  std::uint64_t news() const { return news_.rings(); }
  /// Until something comes that was not `seen` yet, or `until`; what ends then by its own clock
  /// gets its turn.
  Task<> wait(std::uint64_t seen, Deadline until) {
    if (until.passed()) co_await yield_once();
    co_await news_.wait(seen, until);
  }
  Task<> stop() { return tasks_.stop(); }

  Reply discover, initialize;

 private:
  Client& client_;
  Bell news_;
  TaskGroup tasks_;
};

Exchange Client::discover_request(Deadline deadline) const {
  return {.method = "server/discover",
          .params = {{"_meta", modern_meta()}},
          .times = {.quiet_max = kUntilDeadline, .total_max = kUntilDeadline, .deadline = deadline},
          .cancellable = false};
}

Exchange Client::initialize_request(std::string revision, Deadline deadline) const {
  return {.method = "initialize",
          .params = {{"protocolVersion", std::move(revision)},
                     {"capabilities", json::object()},
                     {"clientInfo", own_info()}},
          .times = {.quiet_max = kUntilDeadline, .total_max = kUntilDeadline, .deadline = deadline},
          .cancellable = false};
}

Task<> Client::go_on_legacy(Message answer, Deadline deadline) {
  if (answer.kind == Message::Kind::error) throw error_of(answer.error);
  const json::value result(answer.result);
  facts_.revision = string_field(result, "protocolVersion").value_or("");
  if (const auto fault = initialize_fault(facts_.revision)) throw Error(errc::protocol, *fault);
  take_discovery(answer.result);
  if (const auto* info = find_field(result, "serverInfo")) facts_.info = *info;
  channel_->speaks(facts_.revision);
  co_await channel_->notify("notifications/initialized", {}, deadline);
}

void Client::go_on_modern(const Message& discovery) {
  facts_.revision = std::string(kModern);
  channel_->speaks(facts_.revision);
  take_discovery(discovery.result);
}

// What the answer to discover, if there is one by now, says. Throws where it ends the start.
ProbeVerdict Client::verdict_on(const Asking& asking) const {
  const auto& discover = asking.discover;
  if (discover.failure && !says_nothing(discover.failure) && !asking.initialize.over())
    std::rethrow_exception(discover.failure);
  if (asking.initialize.failure) std::rethrow_exception(asking.initialize.failure);
  auto verdict = after_probe(discover.answer);
  if (verdict.next == ProbeVerdict::Next::give_up) throw Error(errc::protocol, verdict.fault);
  return verdict;
}

// An answer to discover always decides. `initialize` follows it where that takes long, and a good
// answer to that decides as well, for servers that never answer discover. One that refuses
// `initialize` may yet answer discover, out of order.
Task<> Client::settle_era(Asking& asking, Deadline deadline) {
  auto patience = deadline.sooner_of(options_.probe_max);
  bool refused = false;
  asking.send(asking.discover, discover_request(deadline));
  for (;;) {
    const auto seen = asking.news();
    auto& initialize = asking.initialize;
    const auto verdict = verdict_on(asking);
    if (verdict.next == ProbeVerdict::Next::modern) co_return go_on_modern(*asking.discover.answer);
    const bool nothing_more = asking.discover.over() || patience.passed();
    if (!initialize.sent && nothing_more) {
      asking.send(initialize, initialize_request(verdict.revision, deadline));
      patience = deadline;
    } else if (initialize.answer) {
      const bool good = initialize.answer->kind == Message::Kind::result;
      if (good || asking.discover.over() || (refused && patience.passed()))
        co_return co_await go_on_legacy(*std::move(initialize.answer), deadline);
      if (!std::exchange(refused, true)) patience = deadline.sooner_of(options_.probe_max);
    }
    co_await asking.wait(seen, patience);
  }
}

Task<> Client::greet_any(Deadline deadline) {
  Asking asking(*this, co_await boost::asio::this_coro::executor);
  // Whichever greeting is still under way is not waited for; an answer to it is passed over.
  co_await with_cleanup(settle_era(asking, deadline), [&asking] { return asking.stop(); });
}

Task<> Client::start(Greeting greeting, Deadline deadline) {
  if (greeting == Greeting::any) {
    co_await greet_any(deadline);
  } else {
    auto request = initialize_request(std::string(kNewestLegacy), deadline);
    auto answer = co_await exchange(std::move(request));
    co_await go_on_legacy(std::move(answer), deadline);
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
