// Streamable HTTP: our client and our server with each other, and our client with servers that are
// played byte by byte.
#include "base/error.hpp"
#include "mcp/connect.hpp"
#include "mcp/http_endpoint.hpp"
#include "tests/net/raw_peer.hpp"
#include "tests/support/log_lines.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace botburrow::mcp {
namespace {

using namespace std::chrono_literals;
using botburrow::test::run_task;
using botburrow::test::run_until;
using net::RawPeer;
using net::RawServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class McpHttp : public testing::Test {
 protected:
  ~McpHttp() override {
    if (client) run_task(ioc, client->close());
    if (server) run_task(ioc, server->stop(1s));
  }

  std::vector<ServerTool> tools() {
    std::vector<ServerTool> all;
    all.push_back({.name = "echo",
                   .description = "says it",
                   .input_schema = {{"type", "object"},
                                    {"properties",
                                     {{"text", {{"type", "string"}, {"x-mcp-header", "Text"}}}}}},
                   .handler = [](json::object arguments, CallProgress&) -> Task<ToolReply> {
                     co_return ToolReply::text(
                         string_field(json::value(arguments), "text").value_or(""));
                   }});
    all.push_back({.name = "steps",
                   .description = "in steps",
                   .input_schema = {{"type", "object"}},
                   .handler = [](json::object, CallProgress& progress) -> Task<ToolReply> {
                     for (int i = 1; i <= 3; ++i)
                       co_await progress.progressed(i, 3, "");
                     co_return ToolReply::text("done");
                   }});
    all.push_back({.name = "waits",
                   .description = "for ever",
                   .input_schema = {{"type", "object"}},
                   .handler = [this](json::object, CallProgress&) -> Task<ToolReply> {
                     ++waiting;
                     try {
                       co_await sleep_for(1h);
                     } catch (const boost::system::system_error&) {
                       ++cancelled;
                       throw;
                     }
                     co_return ToolReply{};
                   }});
    return all;
  }

  std::string serve(HttpAccess access = {}) {
    server.emplace(ioc.get_executor(), net::HttpServer::Options{}, Log::none());
    add_endpoint(*server, "/mcp", rules, std::move(access), Log::none());
    server->start();
    return server->url() + "/mcp";
  }

  Client& connect(const std::string& url,
                  std::vector<std::pair<std::string, Secret>> headers = {}) {
    channel.url = url;
    channel.headers = std::move(headers);
    client = run_task(ioc, connect_http(http, channel, options, Deadline::in(10s), log));
    return *client;
  }
  std::optional<Error> connect_failure(const std::string& url) {
    try {
      connect(url);
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  /// While what it speaks to is there.
  void hang_up() { run_task(ioc, client->close()); }
  CallResult call(std::string tool, json::object arguments = {},
                  Deadline deadline = Deadline::in(10s)) {
    Client::Call one{.tool = std::move(tool), .arguments = std::move(arguments)};
    one.on_progress = [this](double done, std::optional<double>, std::string) {
      progress.push_back(done);
    };
    one.input_schema = rules.find("echo")->input_schema;
    return run_task(ioc, client->call(std::move(one), deadline));
  }
  std::optional<Error> call_failure(std::string tool, Deadline deadline = Deadline::in(10s)) {
    try {
      call(std::move(tool), {}, deadline);
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }
  net::HttpResponse post(const std::string& url, std::string body, net::HttpHeaders headers = {}) {
    net::HttpRequest request{.method = "POST", .url = url, .body = std::move(body)};
    request.headers = {{"Content-Type", "application/json"},
                       {"Accept", "application/json, text/event-stream"}};
    for (auto& header : headers)
      request.headers.push_back(std::move(header));
    return run_task(ioc, http.send(std::move(request)));
  }

  boost::asio::io_context ioc;
  net::HttpClient http{ioc.get_executor(), {}};
  ServerRules rules{{.name = "ours", .version = "1"}, tools()};
  std::optional<net::HttpServer> server;
  std::shared_ptr<botburrow::test::LogLines> lines = std::make_shared<botburrow::test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  HttpChannel::Options channel;
  ClientOptions options{.version = "1", .times = {.quiet_max = 10s, .total_max = 10s}};
  std::unique_ptr<Client> client;
  std::vector<double> progress;
  int waiting = 0, cancelled = 0;
};

TEST_F(McpHttp, OurClientAndOurServerSpeakTheNewestRevision) {
  connect(serve());

  EXPECT_EQ(client->facts().revision, "2026-07-28");
  EXPECT_EQ(client->facts().info.at("name"), "ours");
  const auto listed = run_task(ioc, client->list_tools(Deadline::in(10s)));
  EXPECT_EQ(listed.size(), 3u);
  // The server compares the mirrored header with the message.
  EXPECT_EQ(call("echo", {{"text", "grüße, welt"}}).text, "grüße, welt");
}

TEST_F(McpHttp, ProgressTurnsTheAnswerIntoAStream) {
  connect(serve());

  EXPECT_EQ(call("steps").text, "done");
  EXPECT_THAT(progress, ElementsAre(1, 2, 3));
}

TEST_F(McpHttp, AClientThatLeavesCancelsItsCall) {
  connect(serve());
  options.times.quiet_max = 10s;

  EXPECT_EQ(call_failure("waits", Deadline::in(200ms))->code(), errc::timeout);
  EXPECT_TRUE(run_until(ioc, [&] { return cancelled == 1; }));
}

TEST_F(McpHttp, AWrongTokenIsSaidToBe) {
  const auto url = serve({.token = Secret("right")});

  const auto failure = connect_failure(url);
  EXPECT_EQ(failure->status(), 401);
  EXPECT_THAT(failure->message(), HasSubstr("credential"));
  connect(url, {{"Authorization", Secret("Bearer right")}});
  EXPECT_EQ(call("echo", {{"text", "x"}}).text, "x");
  EXPECT_THAT(lines->all(), Not(HasSubstr("right")));
}

TEST_F(McpHttp, TheOlderErasAreServedWithoutSessions) {
  const auto url = serve();
  const auto greeting = post(
      url,
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})");
  EXPECT_EQ(greeting.status, 200);
  EXPECT_THAT(greeting.body, HasSubstr("2025-06-18"));
  EXPECT_EQ(greeting.header("mcp-session-id"), std::nullopt);
  EXPECT_EQ(post(url, R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status, 202);
  EXPECT_THAT(post(url, R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})",
                   {{"MCP-Protocol-Version", "2025-06-18"}})
                  .body,
              HasSubstr("echo"));
  EXPECT_EQ(post(url, R"({"jsonrpc":"2.0","id":2,"method":"tools/list"})",
                 {{"MCP-Protocol-Version", "1999-01-01"}})
                .status,
            400);
  const auto batch = post(url, R"([{"jsonrpc":"2.0","id":3,"method":"ping"},
                                   {"jsonrpc":"2.0","method":"x"},
                                   {"jsonrpc":"2.0","id":4,"method":"tools/call",
                                    "params":{"name":"echo","arguments":{"text":"b"}}}])");
  EXPECT_THAT(batch.body,
              HasSubstr(R"({"jsonrpc":"2.0","id":3,"result":{}},{"jsonrpc":"2.0","id":4)"));
}

TEST_F(McpHttp, ABatchGoesAroundNoCheckOfHeaders) {
  const auto url = serve();
  const std::string ping = R"([{"jsonrpc":"2.0","id":3,"method":"ping"}])";
  const std::string modern =
      R"([{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}])";

  EXPECT_EQ(post(url, ping).status, 200);
  EXPECT_EQ(post(url, ping, {{"MCP-Protocol-Version", "2025-03-26"}}).status, 200);
  for (const auto* version : {"2026-07-28", "2025-11-25", "2025-06-18", "1999-01-01"})
    EXPECT_EQ(post(url, ping, {{"MCP-Protocol-Version", version}}).status, 400) << version;
  EXPECT_EQ(post(url, ping, {{"Mcp-Method", "ping"}}).status, 400);
  EXPECT_EQ(post(url, ping, {{"Mcp-Name", "echo"}}).status, 400);
  EXPECT_EQ(post(url, modern).status, 400);
}

TEST_F(McpHttp, AHeaderOfTheProtocolThatIsSentTwiceIsRefused) {
  const auto url = serve();
  const std::string ping = R"({"jsonrpc":"2.0","id":3,"method":"ping"})";

  EXPECT_EQ(post(url, ping, {{"MCP-Protocol-Version", "2025-06-18"}}).status, 200);
  const auto twice = post(
      url, ping, {{"MCP-Protocol-Version", "2025-06-18"}, {"Mcp-Protocol-Version", "2025-06-18"}});
  EXPECT_EQ(twice.status, 400);
  EXPECT_THAT(twice.body, HasSubstr("sent twice"));
  EXPECT_EQ(post(url, ping, {{"Mcp-Name", "a"}, {"Mcp-Name", "b"}}).status, 400);
}

TEST_F(McpHttp, ABodyThatNoMessageNeedsIsRefusedBeforeItIsRead) {
  const auto url = serve({.token = Secret("right")});
  EXPECT_EQ(post(url, std::string(300'000, ' ')).status, 413);
}

TEST_F(McpHttp, BrokenRequestsAreRefused) {
  const auto url = serve();
  EXPECT_EQ(post(url, "{").status, 400);
  EXPECT_THAT(post(url, "{").body, HasSubstr("-32700"));
  EXPECT_EQ(post(url, R"({"jsonrpc":"2.0","id":1})").status, 400);
  EXPECT_EQ(post(url, "{}", {{"Origin", "http://evil.example"}}).status, 403);
  net::HttpRequest get{.url = url};
  EXPECT_EQ(run_task(ioc, http.send(get)).status, 405);
}

/// In what a played server says: it takes its time here.
constexpr char kPause = '\x01';

/// Plays a server: sees each request's head and body, and says what `act` gives.
struct Played {
  using Act = std::function<std::string(const std::string& head, const json::value& message)>;
  Played(boost::asio::io_context& ioc, Act what)
      : act(std::move(what)), server(ioc, [this](RawPeer& peer) { return serve(peer); }) {}
  Task<> serve(RawPeer& peer) {
    for (;;) {
      const auto head = co_await peer.read_until("\r\n\r\n");
      if (head.empty()) co_return;
      std::string body;
      const auto at = head.find("Content-Length: ");
      if (at != std::string::npos)
        body = co_await peer.read_bytes(std::stoul(head.substr(at + 16)));
      heads.push_back(head);
      const auto answer = act(head, try_parse_json(body).value_or(json::value()));
      std::string_view rest = answer;
      for (auto at = rest.find(kPause); at != rest.npos; at = rest.find(kPause)) {
        co_await peer.say(std::string(rest.substr(0, at)));
        co_await sleep_for(1500ms);
        rest.remove_prefix(at + 1);
      }
      co_await peer.say(std::string(rest));
      if (answer.find("Connection: close") != std::string::npos) {
        peer.socket.close();
        co_return;
      }
    }
  }
  std::string url() const { return server.url() + "/mcp"; }
  bool saw(std::string_view text) const {
    return std::ranges::any_of(
        heads, [&](const auto& head) { return head.find(text) != std::string::npos; });
  }
  Act act;
  std::vector<std::string> heads;
  RawServer server;
};

std::string whole(int status, const std::string& body, const std::string& headers = "") {
  return fmt::format(
      "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}", status,
      body.size(), headers, body);
}
std::string stream(const std::string& events) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + events;
}
std::string result(const json::value& message, const std::string& fields) {
  return fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":{}}})", to_json(message.at("id")),
                     fields);
}
std::string method_of(const json::value& message) {
  return message.is_object() ? string_field(message, "method").value_or("") : "";
}

/// How a server of 2025-11-25 with a session greets.
std::optional<std::string> greets(const json::value& message,
                                  const std::string& capabilities = "{}") {
  const auto method = method_of(message);
  if (method == "server/discover")
    return whole(
        400,
        R"({"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: no session"},"id":null})");
  if (method == "initialize")
    return whole(
        200,
        result(message, R"({"protocolVersion":"2025-11-25","capabilities":)" + capabilities +
                            R"(,"serverInfo":{"name":"played","version":"1"}})"),
        "Mcp-Session-Id: session-1\r\n");
  if (method == "notifications/initialized") return whole(202, "");
  return std::nullopt;
}

TEST_F(McpHttp, AServerWithSessionsGetsItsSessionBack) {
  Played server(ioc, [](const std::string& head, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (head.starts_with("DELETE")) return whole(200, "");
    return whole(200, result(message, R"({"content":[{"type":"text","text":"hi"}]})"));
  });
  connect(server.url());

  EXPECT_EQ(client->facts().revision, "2025-11-25");
  EXPECT_EQ(call("echo").text, "hi");
  run_task(ioc, client->close());
  EXPECT_THAT(server.heads.at(3), HasSubstr("Mcp-Session-Id: session-1"));
  EXPECT_THAT(server.heads.at(3), HasSubstr("MCP-Protocol-Version: 2025-11-25"));
  EXPECT_TRUE(server.saw("DELETE /mcp"));
}

TEST_F(McpHttp, ASessionThatTheServerForgotEndsTheClient) {
  Played server(ioc, [](const std::string&, const json::value& message) {
    return greets(message).value_or(whole(404, "gone"));
  });
  connect(server.url());

  const auto failure = call_failure("echo");
  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_EQ(failure->detail(), "not_sent");
  EXPECT_FALSE(client->alive());
  hang_up();
}

TEST_F(McpHttp, AnAnswerMayComeOnAStreamBehindOtherMessages) {
  std::vector<std::string> posted;
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (method_of(message) != "tools/call") {
      posted.push_back(to_json(message));
      return whole(202, "");
    }
    return stream(fmt::format(
        ": hello\n\nevent: message\ndata: {}\n\nevent: other\ndata: x\n\ndata: {}\n\ndata: {}\n\n",
        R"({"jsonrpc":"2.0","id":"q","method":"sampling/createMessage"})",
        R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})",
        result(message, R"({"content":[{"type":"text","text":"streamed"}]})")));
  });
  connect(server.url());

  EXPECT_EQ(call("echo").text, "streamed");
  EXPECT_TRUE(run_until(ioc, [&] { return !posted.empty(); }));
  EXPECT_THAT(posted.at(0), HasSubstr(R"("id":"q","error":{"code":-32601)"));
  hang_up();
}

TEST_F(McpHttp, AStreamThatBreaksOffGoesOnWhereItWas) {
  int calls = 0;
  json::value asked;
  Played server(ioc, [&](const std::string& head, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (method_of(message) == "tools/call") {
      ++calls;
      asked = message;
      return stream("id: place-1\nretry: 10\ndata: \n\n");
    }
    if (head.starts_with("GET") && head.find("Last-Event-ID: place-1") != std::string::npos)
      return stream("id: place-2\nretry: 10\ndata: \n\n");
    if (head.starts_with("GET") && head.find("Last-Event-ID: place-2") != std::string::npos)
      return stream("id: place-3\ndata: " +
                    result(asked, R"({"content":[{"type":"text","text":"resumed"}]})") + "\n\n");
    return whole(405, "");
  });
  connect(server.url());

  EXPECT_EQ(call("echo").text, "resumed");
  EXPECT_EQ(calls, 1);
  hang_up();
}

TEST_F(McpHttp, AStreamThatEndsWithoutTheAnswerIsNoAnswer) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    return greets(message).value_or(stream(": nothing\n\n"));
  });
  connect(server.url());

  const auto failure = call_failure("echo");
  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_NE(failure->detail(), "not_sent");
  hang_up();
}

TEST_F(McpHttp, AnAnswerOverTheLimitIsRefused) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    return whole(200, result(message, R"({"content":")" + std::string(2 << 20, 'x') + "\"}"));
  });
  connect(server.url());

  EXPECT_EQ(call_failure("echo")->code(), errc::limit);
  hang_up();
}

TEST_F(McpHttp, AnEventOverTheLimitIsRefused) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    return stream("data: " + std::string(2 << 20, 'x') + "\n\n");
  });
  connect(server.url());

  EXPECT_EQ(call_failure("echo")->code(), errc::limit);
  hang_up();
}

TEST_F(McpHttp, ARefusalIsReadUpToTheLimitOnly) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    return whole(400, R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":")" +
                          std::string(2 << 20, 'x') + "\"}}");
  });
  connect(server.url());

  const auto failure = call_failure("echo");
  EXPECT_EQ(failure->code(), errc::http_status);
  EXPECT_EQ(failure->status(), 400);
  hang_up();
}

/// A server of the older era whose streams break off before the answer; what it says to one who
/// comes back is `resumed`.
Played::Act breaks_off(std::function<std::string(const json::value& asked)> resumed) {
  return [resumed, asked = std::make_shared<json::value>()](const std::string& head,
                                                            const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (!head.starts_with("POST"))
      return head.starts_with("GET") ? resumed(*asked) : whole(200, "");
    *asked = message;
    return stream("id: place\nretry: 0\ndata: \n\n");
  };
}

TEST_F(McpHttp, ACallThatWasBegunIsNeverCalledUnsent) {
  for (const auto& [status, body] :
       {std::pair(404, "gone"), std::pair(405, ""), std::pair(403, "no"),
        std::pair(400, R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}})"),
        std::pair(200, "{}")}) {
    Played server(ioc, breaks_off([&](const json::value&) { return whole(status, body); }));
    connect(server.url());

    const auto failure = call_failure("echo");
    EXPECT_EQ(failure->code(), errc::mcp_unavailable) << status;
    EXPECT_EQ(failure->detail(), "maybe_sent") << status;
    EXPECT_EQ(client->alive(), status != 404);
    hang_up();
  }
}

TEST_F(McpHttp, ALaterRoundOfACallIsNeverCalledUnsent) {
  int calls = 0;
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (++calls == 1)
      return whole(200, result(message, R"({"resultType":"input_required","requestState":"s"})"));
    return whole(404, "gone");
  });
  connect(server.url());

  const auto failure = call_failure("echo");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_EQ(failure->detail(), "maybe_sent");
  hang_up();
}

TEST_F(McpHttp, AServerThatWantsUsBackAtOnceIsNotAskedWithoutPause) {
  int resumes = 0;
  Played server(ioc, breaks_off([&](const json::value&) {
                  ++resumes;
                  return stream("id: place\nretry: 0\ndata: \n\n");
                }));
  options.times.quiet_max = 1200ms;
  connect(server.url());

  EXPECT_EQ(call_failure("echo")->code(), errc::timeout);
  EXPECT_LE(resumes, 3);
  hang_up();
}

TEST_F(McpHttp, WhatIsWrongWithAnAnswerIsNotAskedForAgain) {
  int resumes = 0;
  Played server(ioc, breaks_off([&](const json::value&) {
                  ++resumes;
                  return stream("data: " + std::string(2 << 20, 'x') + "\n\n");
                }));
  connect(server.url());

  EXPECT_EQ(call_failure("echo")->code(), errc::limit);
  EXPECT_EQ(resumes, 1);
  hang_up();
}

TEST_F(McpHttp, ProgressOnAStreamThatGoesOnIsASignOfLife) {
  // Each pause is well within the time without a sign, and together they are longer.
  Played server(ioc, breaks_off([](const json::value& asked) {
                  const auto progressed = fmt::format(
                      "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
                      "\"params\":{{\"progressToken\":{},\"progress\":1}}}}\n\n{}",
                      to_json(asked.at("id")), kPause);
                  return stream(progressed + progressed + progressed + "data: " +
                                result(asked, R"({"content":[{"type":"text","text":"late"}]})") +
                                "\n\n");
                }));
  options.times = {.quiet_max = 3500ms, .total_max = 60s};
  connect(server.url());

  EXPECT_EQ(call("echo", {}, Deadline::in(60s)).text, "late");
  EXPECT_EQ(progress.size(), 3u);
  hang_up();
}

TEST_F(McpHttp, ACredentialThatAServerSaysBackIsNotKept) {
  std::string heard;
  Played server(ioc, [&](const std::string& head, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    const auto at = head.find("Bearer ");
    heard = head.substr(at, head.find("\r\n", at) - at);
    const auto words =
        fmt::format(R"({{"content":[{{"type":"text","text":"{} {}"}}]}})", heard, heard.substr(7));
    if (to_json(message).find("refuse") != std::string::npos) return whole(500, heard.substr(7));
    return stream("data: " + result(message, words) + "\n\n");
  });
  connect(server.url(), {{"Authorization", Secret("Bearer canary-81237")}});

  EXPECT_EQ(call("echo").text, "[secret removed] [secret removed]");
  EXPECT_EQ(heard, "Bearer canary-81237");
  EXPECT_THAT(call_failure("refuse")->message(), HasSubstr("HTTP 500: [secret removed]"));
  EXPECT_THAT(lines->all(), Not(HasSubstr("canary-81237")));
  hang_up();
}

TEST_F(McpHttp, AServerThatFloodsIsLeft) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    std::string events;
    for (int i = 0; i < 300; ++i)
      events += "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
    return stream(events + "data: " + result(message, R"({"content":[]})") + "\n\n");
  });
  channel.flood.messages_max = 200;
  connect(server.url());

  const auto failure = call_failure("echo");
  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_THAT(failure->message(), HasSubstr("floods"));
  EXPECT_NE(failure->detail(), "not_sent");
  EXPECT_FALSE(client->alive());
  hang_up();
}

TEST_F(McpHttp, AServerThatAsksMuchIsAnsweredALittle) {
  std::size_t answered = 0;
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    if (method_of(message) != "tools/call") {
      ++answered;
      // Nobody keeps such an answer.
      return answered == 1 ? whole(200, std::string(1 << 20, 'x')) : whole(202, "");
    }
    std::string events;
    for (int i = 0; i < 500; ++i)
      events +=
          fmt::format("data: {{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"ping\"}}\n\n", i);
    return stream(events + "data: " + result(message, R"({"content":[]})") + "\n\n");
  });
  connect(server.url());

  call("echo");
  EXPECT_TRUE(run_until(ioc, [&] { return answered > 0 && http.active() == 0; }));
  EXPECT_LE(answered, 17u);
  EXPECT_EQ(lines->count("mcp_message_not_delivered"), 1u);
  hang_up();
}

TEST_F(McpHttp, GarbageIsNotedOnce) {
  Played server(ioc, [&](const std::string&, const json::value& message) {
    if (auto greeting = greets(message)) return *greeting;
    std::string events;
    for (int i = 0; i < 50; ++i)
      events += "data: {x\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":777,\"result\":{}}\n\n";
    return stream(events + "data: " + result(message, R"({"content":[]})") + "\n\n");
  });
  connect(server.url());

  call("echo");
  EXPECT_EQ(lines->count("mcp_message_invalid"), 1u);
  EXPECT_EQ(lines->count("mcp_id_mismatch"), 1u);
  hang_up();
}

TEST_F(McpHttp, AServerOfTheOlderEraIsToldThatNobodyWaits) {
  std::vector<std::string> methods;
  Played server(ioc, [&](const std::string&, const json::value& message) {
    methods.push_back(method_of(message));
    if (auto greeting = greets(message)) return *greeting;
    return method_of(message) == "tools/call" ? std::string() : whole(202, "");
  });
  connect(server.url());

  EXPECT_EQ(call_failure("echo", Deadline::in(200ms))->code(), errc::timeout);
  hang_up();  // at once, as the end of an activation does
  EXPECT_THAT(methods, testing::Contains("notifications/cancelled"));
}

TEST_F(McpHttp, AServerThatIsNotThereIsUnavailable) {
  net::HttpServer gone(ioc.get_executor(), {}, Log::none());
  gone.start();
  const auto url = gone.url() + "/mcp";
  run_task(ioc, gone.stop(0s));

  const auto failure = connect_failure(url);
  EXPECT_EQ(failure->code(), errc::mcp_unavailable);
  EXPECT_EQ(failure->detail(), "not_sent");
}

TEST_F(McpHttp, ChangesAreHeardOnTheListeningStream) {
  Played server(ioc, [&](const std::string& head, const json::value& message) {
    if (auto greeting = greets(message, R"({"tools":{"listChanged":true}})")) return *greeting;
    if (head.starts_with("GET"))
      return stream(
          "retry: 60000\ndata: "
          R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"
          "\n\n");
    return whole(200, result(message, R"({"content":[]})"));
  });
  connect(server.url());
  int heard = 0;
  client->on_tools_changed([&] { ++heard; });

  EXPECT_TRUE(run_until(ioc, [&] { return heard == 1; }));
  hang_up();
}

TEST_F(McpHttp, AListeningStreamMayEndWithoutAWordAndHasNoEndOfItsOwn) {
  int streams = 0;
  Played server(ioc, [&](const std::string& head, const json::value& message) {
    if (auto greeting = greets(message, R"({"tools":{"listChanged":true}})")) return *greeting;
    if (!head.starts_with("GET")) return whole(200, result(message, R"({"content":[]})"));
    if (++streams == 1) return stream("");
    return stream(fmt::format("retry: 0\n:{}\n\ndata: {}\n\n", std::string(2000, ' '),
                              R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})"));
  });
  channel.stream_bytes_max = 5000;
  connect(server.url());
  int heard = 0;
  client->on_tools_changed([&] { ++heard; });

  EXPECT_TRUE(run_until(ioc, [&] { return heard == 4; }));
  hang_up();
}

}  // namespace
}  // namespace botburrow::mcp
