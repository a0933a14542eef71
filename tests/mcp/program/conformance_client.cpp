// What the conformance suite runs as the client: our client, given the URL of its server. Lists the
// tools and calls those that the scenario names, or all of them.
#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "mcp/connect.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace botburrow;
using namespace std::chrono_literals;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Something of the type that a schema asks for.
json::value sample(const json::value& schema) {
  const auto type = string_field(schema, "type").value_or("string");
  if (type == "number" || type == "integer") return 5;
  if (type == "boolean") return true;
  if (type == "array") return json::array{};
  if (type == "object") return json::object{};
  return "text";
}

json::object sample_arguments(const json::value& schema) {
  json::object arguments;
  const auto* properties = find_field(schema, "properties");
  if (!properties || !properties->is_object()) return arguments;
  for (const auto& required : array_field(schema, "required")) {
    if (!required.is_string()) continue;
    const auto* property = properties->get_object().if_contains(required.get_string());
    arguments[required.get_string()] = property ? sample(*property) : json::value("text");
  }
  return arguments;
}

Task<> call(mcp::Client& client, const mcp::ToolDefinition& tool, json::object arguments) {
  try {
    const auto result = co_await client.call({.tool = tool.name,
                                              .arguments = std::move(arguments),
                                              .input_schema = tool.input_schema,
                                              .output_schema = tool.output_schema},
                                             Deadline::in(10s));
    std::printf("%s: %s\n", tool.name.c_str(), result.text.c_str());
  } catch (const Error& error) {
    std::printf("%s failed: %s\n", tool.name.c_str(), error.what());
  }
}

/// The scenario of preserved schemas asks for the schema of one tool as an argument of another.
json::object echoed_schema(const std::vector<mcp::ToolDefinition>& tools) {
  for (const auto& tool : tools)
    if (tool.name == "json_schema_2020_12_tool") return {{"schema", tool.input_schema}};
  return {};
}

Task<> work(mcp::Client& client) {
  const auto tools = co_await client.list_tools(Deadline::in(10s));
  std::printf("revision %s, %zu tools\n", client.facts().revision.c_str(), tools.size());
  const auto context = try_parse_json(variable("MCP_CONFORMANCE_CONTEXT"));
  const auto wanted = context ? array_field(*context, "toolCalls") : json::array();
  for (const auto& tool : tools) {
    bool called = false;
    for (const auto& one : wanted) {
      if (string_field(one, "name") != tool.name) continue;
      const auto* arguments = find_field(one, "arguments");
      co_await call(client, tool, arguments ? arguments->get_object() : json::object());
      called = true;
    }
    if (called) continue;
    auto arguments = tool.name == "json_schema_echo" ? echoed_schema(tools)
                                                     : sample_arguments(tool.input_schema);
    co_await call(client, tool, std::move(arguments));
  }
}

Task<> run(std::string url) {
  const auto executor = co_await boost::asio::this_coro::executor;
  net::HttpClient http(executor, {.user_agent = "botburrow-conformance"});
  const auto log = Log(fd_log_sink(2), {.level = LogLevel::debug});
  const auto client = co_await mcp::connect_http(http, {.url = std::move(url)},
                                                 {.name = "botburrow-conformance",
                                                  .version = "1.0.0",
                                                  .times = {.quiet_max = 10s, .total_max = 20s}},
                                                 Deadline::in(10s), log);
  co_await with_cleanup<void>(work(*client), [&client] { return client->close(); });
}

}  // namespace

int main(int argc, char** argv) {
  ::alarm(60);
  ::signal(SIGPIPE, SIG_IGN);
  if (argc < 2) return 64;
  boost::asio::io_context io(1);
  int code = 0;
  boost::asio::co_spawn(io, run(argv[argc - 1]), [&](const std::exception_ptr& failure) {
    if (failure) std::fprintf(stderr, "failed: %s\n", describe(failure).c_str());
    code = failure ? 1 : 0;
    io.stop();
  });
  io.run();
  return code;
}
