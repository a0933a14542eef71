// What the conformance suite asks of a server of tools, on our framework: ADDRESS PORT, then serves
// http://ADDRESS:PORT/mcp until it is told to end, ten minutes at most.
#include "mcp/http_endpoint.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

using namespace botburrow;
using mcp::CallProgress;
using mcp::ServerTool;
using mcp::ToolReply;
using namespace std::chrono_literals;

// One red pixel, and a WAV without samples.
constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJg"
    "gg==";
constexpr const char* kWav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

json::object text(const char* words) {
  return {{"type", "text"}, {"text", words}};
}
json::object image() {
  return {{"type", "image"}, {"data", kPng}, {"mimeType", "image/png"}};
}
json::object resource(const char* uri, const char* type, const char* words) {
  return {{"type", "resource"}, {"resource", {{"uri", uri}, {"mimeType", type}, {"text", words}}}};
}

ServerTool fixed(const char* name, const char* description, json::array content) {
  return {.name = name,
          .description = description,
          .input_schema = {{"type", "object"}, {"properties", json::object()}},
          .handler = [content](json::object, CallProgress&) -> Task<ToolReply> {
            co_return ToolReply{.content = content};
          }};
}

Task<ToolReply> with_progress(CallProgress& progress) {
  for (const double done : {0.0, 50.0, 100.0}) {
    co_await progress.progressed(done, 100, "");
    co_await sleep_for(50ms);
  }
  co_return ToolReply::text("Tool with progress executed");
}

Task<ToolReply> fails() {
  co_return ToolReply::failed("This tool intentionally returns an error for testing");
}

std::vector<ServerTool> all_tools() {
  std::vector<ServerTool> tools;
  tools.push_back(fixed("test_simple_text", "Simple text",
                        {text("This is a simple text response for testing.")}));
  tools.push_back(fixed("test_image_content", "An image", {image()}));
  tools.push_back(
      fixed("test_audio_content", "A sound",
            {json::object{{"type", "audio"}, {"data", kWav}, {"mimeType", "audio/wav"}}}));
  tools.push_back(fixed("test_embedded_resource", "A resource",
                        {resource("test://embedded-resource", "text/plain",
                                  "This is an embedded resource content.")}));
  tools.push_back(fixed("test_multiple_content_types", "Several parts",
                        {text("Multiple content types test:"), image(),
                         resource("test://mixed-content-resource", "application/json",
                                  "{\"test\":\"data\",\"value\":123}")}));
  tools.push_back(
      {.name = "test_tool_with_progress",
       .description = "Tells how far it is",
       .input_schema = {{"type", "object"}},
       .handler = [](json::object, CallProgress& progress) { return with_progress(progress); }});
  // No tool of this framework can log to its client or ask it for something.
  tools.push_back(fixed("test_logging_tool", "Logs nothing", {text("Nothing was logged.")}));
  tools.push_back(
      {.name = "test_streaming_elicitation",
       .description = "Asks nothing on its stream",
       .input_schema = {{"type", "object"}},
       .handler = [](json::object, CallProgress& progress) { return with_progress(progress); }});
  tools.push_back({.name = "test_error_handling",
                   .description = "Fails",
                   .input_schema = {{"type", "object"}},
                   .handler = [](json::object, CallProgress&) { return fails(); }});
  auto schema = fixed("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features",
                      {text("JSON Schema 2020-12 tool called")});
  schema.input_schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"type", "object"},
      {"$defs",
       {{"address",
         {{"$anchor", "addressDef"},
          {"type", "object"},
          {"properties", {{"street", {{"type", "string"}}}, {"city", {{"type", "string"}}}}}}}}},
      {"properties",
       {{"name", {{"type", "string"}}},
        {"address", {{"$ref", "#/$defs/address"}}},
        {"contactMethod", {{"type", "string"}, {"enum", {"phone", "email"}}}},
        {"phone", {{"type", "string"}}},
        {"email", {{"type", "string"}}}}},
      {"allOf", json::array{{{"anyOf", json::array{{{"required", json::array{"phone"}}},
                                                   {{"required", json::array{"email"}}}}}}}},
      {"if",
       {{"properties", {{"contactMethod", {{"const", "phone"}}}}},
        {"required", json::array{"contactMethod"}}}},
      {"then", {{"required", json::array{"phone"}}}},
      {"else", {{"required", json::array{"email"}}}},
      {"additionalProperties", false}};
  tools.push_back(std::move(schema));
  auto headers = fixed("test_custom_headers", "Mirrors a parameter", {text("ok")});
  headers.input_schema = {
      {"type", "object"},
      {"properties", {{"region", {{"type", "string"}, {"x-mcp-header", "Region"}}}}}};
  tools.push_back(std::move(headers));
  return tools;
}

Task<> serve(std::string host, int port) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const mcp::ServerRules rules({.name = "mcp-conformance-test-server", .version = "1.0.0"},
                               all_tools());
  net::HttpServer http(executor, {.host = host, .port = port}, Log::none());
  mcp::add_endpoint(http, "/mcp", rules, {}, Log::none());
  http.start();
  std::printf("%s/mcp\n", http.url().c_str());
  std::fflush(stdout);
  boost::asio::signal_set signals(executor, SIGTERM, SIGINT);
  co_await signals.async_wait(boost::asio::use_awaitable);
  co_await http.stop(1s);
}

}  // namespace

int main(int argc, char** argv) {
  ::alarm(600);
  ::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context io(1);
  const std::string host = argc > 1 ? argv[1] : "127.0.0.1";
  boost::asio::co_spawn(io, serve(host, argc > 2 ? std::atoi(argv[2]) : 0), boost::asio::detached);
  io.run();
  return 0;
}
