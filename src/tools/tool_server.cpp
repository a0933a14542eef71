#include "tools/tool_server.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "mcp/http_endpoint.hpp"

#include <fmt/format.h>

namespace botburrow::tools {

ToolServer::ToolServer(boost::asio::any_io_executor executor, Toolbox& toolbox, Options options,
                       Log log)
    : executor_(executor),
      toolbox_(toolbox),
      options_(std::move(options)),
      log_(std::move(log)),
      rules_(std::make_unique<mcp::ServerRules>(
          mcp::ServerIdentity{.name = "botburrow", .version = options_.version}, served(toolbox))),
      broken_(executor),
      cancel_(executor) {}

ToolServer::~ToolServer() = default;

// The box logs each call, and refuses those that lack a grant: they go there as well.
mcp::ServerTool ToolServer::passed_on(const std::string& name) {
  return {.name = name,
          .handler = [this, name](json::object arguments,
                                  mcp::CallProgress&) { return call(name, std::move(arguments)); },
          .logs_itself = true};
}

std::vector<mcp::ServerTool> ToolServer::served(const Toolbox& toolbox) {
  std::vector<mcp::ServerTool> tools;
  for (const auto& spec : toolbox.specs()) {
    names_.push_back(spec.name);
    auto tool = passed_on(spec.name);
    tool.description = spec.description;
    tool.input_schema = static_cast<const json::value&>(spec.input_schema);
    tools.push_back(std::move(tool));
  }
  for (const auto& name : toolbox.withheld()) {
    auto tool = passed_on(name);
    tool.input_schema = json::object{{"type", "object"}};
    tool.listed = false;
    tools.push_back(std::move(tool));
  }
  return tools;
}

// A tool belongs to one call at a time.
Task<> ToolServer::take_turn() {
  while (const auto other = turn_)
    co_await other->wait();
  turn_ = std::make_shared<StopSource>(executor_);
}

void ToolServer::give_turn() {
  if (const auto turn = std::exchange(turn_, nullptr)) turn->stop();
}

Task<> ToolServer::call_into(std::string tool, json::object arguments, mcp::ToolReply& reply) {
  bool fatal = false;
  const auto result = co_await toolbox_.call({.id = fmt::format("call_{}", next_call_++),
                                              .name = std::move(tool),
                                              .arguments = std::move(arguments)},
                                             options_.deadline, fatal);
  if (options_.after_tool) options_.after_tool();
  reply = result.is_error ? mcp::ToolReply::failed(result.content)
                          : mcp::ToolReply::text(result.content);
}

Task<mcp::ToolReply> ToolServer::call(std::string tool, json::object arguments) {
  co_await take_turn();
  // Meanwhile another may have broken it.
  auto reply = mcp::ToolReply::failed("this run has ended");
  if (closed_ || failure_) {
    give_turn();
    co_return reply;
  }
  std::exception_ptr failure;
  try {
    co_await run_bounded(call_into(std::move(tool), std::move(arguments), reply), options_.deadline,
                         cancel_);
  } catch (...) {
    failure = std::current_exception();
  }
  give_turn();
  if (!failure) co_return reply;
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  failure_ = failure;
  broken_.stop();
  co_return reply;
}

Task<net::ServerResponse> ToolServer::serve(net::ServerRequest request) {
  if (closed_) {
    net::ServerResponse gone{.status = 404};
    co_return gone;
  }
  co_return co_await mcp::answer_post(*rules_, std::move(request), log_);
}

Task<> ToolServer::finish() {
  closed_ = true;
  while (const auto under_way = turn_)
    co_await under_way->wait();
}

Task<> ToolServer::stop() {
  cancel_.stop();
  co_await finish();
}

}  // namespace botburrow::tools
