#include "net/http_server.hpp"

#include "tests/net/raw_peer.hpp"

#include <boost/json.hpp>

#include <malloc.h>

#include <random>

namespace botburrow::net {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

std::string body_of(const std::string& response) {
  return response.substr(response.find("\r\n\r\n") + 4);
}

/// What follows `name: ` in a response's head; empty if absent.
std::string header_of(const std::string& response, const std::string& name) {
  const auto at = response.find("\r\n" + name + ": ");
  if (at == std::string::npos || at > response.find("\r\n\r\n")) return "";
  const auto begin = at + name.size() + 4;
  return response.substr(begin, response.find("\r\n", begin) - begin);
}

struct HttpServerTest : testing::Test {
  /// A server with a few routes, started.
  TestServer& server(HttpServer::Options options = {}) {
    running.emplace(ioc, std::move(options));
    auto& http = running->server;
    http.route("GET", "/hello", [](ServerRequest) -> Task<ServerResponse> {
      co_return ServerResponse::text(200, "hello", "text/plain");
    });
    http.route("POST", "/echo", 1000, [this](ServerRequest request) -> Task<ServerResponse> {
      last = request;
      co_return ServerResponse::text(200, request.body, "text/plain");
    });
    http.route("GET", "/posts/:id/*rest", [this](ServerRequest request) -> Task<ServerResponse> {
      last = request;
      co_return ServerResponse::json(200, "{}");
    });
    http.route("GET", "/wait", [this](ServerRequest) -> Task<ServerResponse> {
      ++waiting;
      co_await go.async_wait(kRawTuple);
      --waiting;
      const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
      if (cancelled != asio::cancellation_type::none) {
        ++handlers_cancelled;
        throw boost::system::system_error(asio::error::operation_aborted);
      }
      co_return ServerResponse::text(200, "waited", "text/plain");
    });
    http.stream("GET", "/events", "text/event-stream",
                [this](ServerRequest, ResponseStream& out) -> Task<> {
                  ++waiting;
                  co_await out.write("data: 1\n\n");
                  co_await go.async_wait(kRawTuple);
                  --waiting;
                  const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
                  if (cancelled != asio::cancellation_type::none) {
                    ++handlers_cancelled;
                    throw boost::system::system_error(asio::error::operation_aborted);
                  }
                  co_await out.write("data: 2\n\n");
                });
    http.observe([this](const ServerRequest& request, int status, std::chrono::nanoseconds took) {
      EXPECT_GE(took.count(), 0);
      observed.emplace_back(request.route, status);
    });
    http.start();
    return *running;
  }
  std::string ask(const std::string& text) { return run_task(ioc, ask_raw(connect(), text)); }
  RawPeer connect() { return connect_raw(ioc, running->server.port()); }
  RawPeer connect_from(const char* address) {
    tcp::socket socket(ioc);
    socket.open(tcp::v4());
    socket.bind({asio::ip::make_address(address), 0});
    socket.connect(
        {asio::ip::address_v4::loopback(), static_cast<unsigned short>(running->server.port())});
    return RawPeer(std::move(socket));
  }
  std::string exchange(RawPeer& peer, std::string text) {
    return run_task(ioc, [&]() -> Task<std::string> {
      co_await peer.say(text);
      co_return co_await peer.read_response();
    });
  }
  bool soon(const std::function<bool()>& condition) { return run_until(ioc, condition, 5s); }

  asio::io_context ioc;
  asio::steady_timer go{ioc, asio::steady_timer::time_point::max()};
  int waiting = 0;
  int handlers_cancelled = 0;
  ServerRequest last;
  std::vector<std::pair<std::string, int>> observed;
  std::optional<TestServer> running;  // stopped before what its handlers use
};

const std::string kGet = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kWait = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kEvents = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kGetClose = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

TEST_F(HttpServerTest, AnswersARequest) {
  server();
  const auto response = ask(kGetClose);
  EXPECT_THAT(response,
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nContent-Length: 5\r\n"),
                    HasSubstr("\r\nServer: botburrow\r\n"), HasSubstr("\r\nConnection: close\r\n"),
                    HasSubstr(" GMT\r\n")));
  EXPECT_EQ(body_of(response), "hello");
  EXPECT_THAT(observed, ElementsAre(Pair("/hello", 200)));
}

TEST_F(HttpServerTest, HandlersSeeTheRequestDecoded) {
  server();
  RawPeer peer = connect();
  exchange(peer,
           "GET /posts/a%20b/c/d?x=1&y=%26+z&flag HTTP/1.1\r\nHost: h\r\nX-Custom:  v \r\n\r\n");
  EXPECT_EQ(last.method, "GET");
  EXPECT_EQ(last.path, "/posts/a b/c/d");
  EXPECT_EQ(last.route, "/posts/:id/*rest");
  EXPECT_THAT(last.params, ElementsAre(Pair("id", "a b"), Pair("rest", "c/d")));
  EXPECT_THAT(last.query, ElementsAre(Pair("x", "1"), Pair("y", "& z"), Pair("flag", "")));
  EXPECT_EQ(last.query_value("y"), "& z");
  EXPECT_EQ(last.query_value("none"), std::nullopt);
  EXPECT_EQ(last.header("x-custom"), "v");
  EXPECT_EQ(last.peer_address, "127.0.0.1");
  EXPECT_TRUE(last.peer_is_loopback);
}

TEST_F(HttpServerTest, AbsoluteTargetsAreServedByTheirPath) {
  server();
  EXPECT_THAT(ask("GET http://example.com/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, OneConnectionServesManyRequests) {
  server();
  RawPeer peer = connect();
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(exchange(peer, kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(running->server.connections(), 1u);
}

TEST_F(HttpServerTest, RequestsSentAheadAreAnsweredInOrder) {
  server();
  const std::string echo = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
  const auto all = ask(echo + "one" + echo + "two" + "\r\n" + kGetClose);
  const auto one = all.find("\r\n\r\none");
  const auto two = all.find("\r\n\r\ntwo");
  const auto hello = all.find("\r\n\r\nhello");
  EXPECT_LT(one, two);
  EXPECT_LT(two, hello);
  EXPECT_NE(hello, std::string::npos);
}

TEST_F(HttpServerTest, ARequestSentWhileTheFirstWaitsIsNotLost) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  run_task(ioc, peer.say(kGetClose));
  run_task(ioc, sleep_for(20ms));
  EXPECT_EQ(waiting, 1);
  go.cancel();
  EXPECT_THAT(run_task(ioc, peer.read_all()), AllOf(HasSubstr("waited"), HasSubstr("hello")));
}

TEST_F(HttpServerTest, Http10ClosesUnlessItAsksToStay) {
  server();
  EXPECT_THAT(ask("GET /hello HTTP/1.0\r\n\r\n"),
              AllOf(HasSubstr("Connection: close"), HasSubstr("hello")));
  RawPeer peer = connect();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(exchange(peer, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                HasSubstr("Connection: keep-alive"));
  }
}

TEST_F(HttpServerTest, HeadIsGetWithoutBody) {
  server();
  const auto response = ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(header_of(response, "Content-Length"), "5");
  EXPECT_EQ(body_of(response), "");
  const auto stream = ask("HEAD /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(header_of(stream, "Content-Type"), "text/event-stream");
  EXPECT_EQ(waiting, 0);
  const auto unknown = ask("HEAD /unknown HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(unknown, StartsWith("HTTP/1.1 404"));
  EXPECT_EQ(body_of(unknown), "");
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreJsonAndKeepTheConnection) {
  server();
  RawPeer peer = connect();
  const auto unknown = exchange(peer, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(unknown, StartsWith("HTTP/1.1 404 Not Found\r\n"));
  const auto body = boost::json::parse(body_of(unknown)).as_object();
  EXPECT_EQ(body.at("code"), "not_found");
  EXPECT_EQ(body.at("detail"), body.at("error"));
  const auto wrong = exchange(peer, "PUT /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(wrong, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_EQ(header_of(wrong, "Allow"), "GET, HEAD");
  EXPECT_EQ(boost::json::parse(body_of(wrong)).at("code"), "method_not_allowed");
  EXPECT_THAT(exchange(peer, kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, BrokenRequestsAre400AndClose) {
  server();
  for (const std::string& bad : {
           std::string("\x16\x03\x01\x02"),  // TLS to a plain port
           std::string("GET /hello\r\n\r\n"),
           std::string("GET /hello HTTP/1.1\r\n\r\n"),  // no Host
           std::string("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
           std::string("GET hello HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /hello HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n"),
           std::string("GET /hello HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n"),
           std::string("GET /hello HTTP/1.1\nHost: x\n\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: "
                       "2\r\n\r\nab"),
           std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n0\r\n\r\n"),
           std::string(
               "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
           std::string("G@T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /hello HTTP/9.9.9\r\nHost: x\r\n\r\n"),
       }) {
    const auto response = ask(bad);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 ")) << bad;
    EXPECT_EQ(header_of(response, "Connection"), "close") << bad;
    EXPECT_THAT(body_of(response), HasSubstr("\"code\":\"bad_request\"")) << bad;
  }
  EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, BodiesFramedInAnotherWayAreNotRead) {
  server();
  for (const char* coding : {"xchunked", "identity, chunked", "chunked, identity", "gzip"}) {
    const auto response = ask(std::string("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ") +
                              coding + "\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(response, StartsWith("HTTP/1.1 501 ")) << coding;
    EXPECT_THAT(response, Not(HasSubstr("HTTP/1.1 200"))) << coding;
  }
  EXPECT_THAT(ask("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 501 "));
}

/// Takes large bodies and gives large answers.
struct LargeHttpTest : HttpServerTest {
  static constexpr std::size_t kAnswerBytes = 16u << 20;

  void serve(HttpServer::Options options) {
    running.emplace(ioc, std::move(options));
    auto& http = running->server;
    http.route("POST", "/large", 1u << 20, [](ServerRequest request) -> Task<ServerResponse> {
      co_return ServerResponse::text(200, std::to_string(request.body.size()), "text/plain");
    });
    http.route("GET", "/large", [](ServerRequest) -> Task<ServerResponse> {
      co_return ServerResponse::text(200, std::string(kAnswerBytes, 'x'), "text/plain");
    });
    http.before_large_body([](const ServerRequest& request) -> Task<std::optional<ServerResponse>> {
      if (request.header("authorization")) co_return std::nullopt;
      co_return ServerResponse::problem(401, "key_missing", "no key");
    });
    http.start();
  }
  static std::string head(const std::string& more) {
    return "POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + "\r\n";
  }
};

TEST_F(LargeHttpTest, NobodyUnknownHasALargeBodyRead) {
  serve({});
  const std::string large(20'000, 'x');
  // The refusal comes without a byte of the body.
  EXPECT_THAT(ask(head("Content-Length: 20000\r\n")), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask(head("Content-Length: 20000\r\nAuthorization: Bearer k\r\n") + large),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(head("Transfer-Encoding: chunked\r\n") + "4e20\r\n" + large + "\r\n0\r\n\r\n"),
              StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask(head("Content-Length: 3\r\n") + "abc"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(LargeHttpTest, WhatIsBeingReceivedByAllHasABound) {
  serve({.receiving_bytes_max = 100'000});
  const auto begin = head("Content-Length: 90000\r\nAuthorization: Bearer k\r\n");
  RawPeer first = connect();
  run_task(ioc, first.say(begin + std::string(80'000, 'x')));
  EXPECT_TRUE(
      soon([&] { return ask(begin + std::string(90'000, 'x')).starts_with("HTTP/1.1 503 "); }));
  EXPECT_THAT(exchange(first, std::string(10'000, 'x')), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(begin + std::string(90'000, 'x')), StartsWith("HTTP/1.1 200 "));
}

TEST_F(LargeHttpTest, AnswersThatNobodyTakesHaveABound) {
  serve({.unsent_bytes_max = 24u << 20});
  const std::string get = "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  {
    RawPeer first = connect();
    run_task(ioc, first.say(get));
    EXPECT_TRUE(soon([&] { return ask(get).starts_with("HTTP/1.1 503 "); }));
  }
  EXPECT_TRUE(soon([&] { return ask(get).starts_with("HTTP/1.1 200 "); }));
}

TEST_F(LargeHttpTest, AnAnswerThatIsTakenByDropsIsCut) {
  serve({.write_timeout = 300ms, .write_bytes_per_second_min = 2 * kAnswerBytes});
  RawPeer slow = connect();
  run_task(ioc, slow.say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
  slow.socket.non_blocking(true);
  std::array<char, 4096> drop{};
  EXPECT_TRUE(soon([&] {
    boost::system::error_code failed;
    slow.socket.read_some(asio::buffer(drop), failed);  // each comes before write_timeout
    return running->server.connections() == 0;
  }));
}

TEST_F(HttpServerTest, NoGarbageBreaksTheServer) {
  server();
  const auto seed = static_cast<unsigned>(BootClock::now().time_since_epoch().count());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good =
      "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
      kGet;
  for (int i = 0; i < 400; ++i) {
    std::string text = good;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      const auto at = random() % text.size();
      const auto kind = random() % 3;
      if (kind == 0) text[at] = static_cast<char>(random() % 256);
      if (kind == 1) text.erase(at, random() % 8);
      if (kind == 2) text.insert(at, text.substr(random() % text.size(), random() % 16));
      if (text.empty()) text = "G";
    }
    RawPeer peer = connect();
    run_task(ioc, peer.say(text));
    boost::system::error_code gone;
    peer.socket.shutdown(tcp::socket::shutdown_send, gone);
    const auto answer = run_task(ioc, peer.read_all());
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 ")) << answer;
  }
  EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, RequestLinesAreBounded) {
  server();
  const auto line = [](std::size_t bytes) {
    const std::string rest = "GET / HTTP/1.1\r\n";
    return "GET /" + std::string(bytes - rest.size(), 'a') + " HTTP/1.1\r\n";
  };
  EXPECT_THAT(ask(line(8192) + "Host: x\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(line(8193) + "Host: x\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 414"));
  EXPECT_THAT(ask("GET /" + std::string(100'000, 'a')), StartsWith("HTTP/1.1 414"));
}

TEST_F(HttpServerTest, HeadersAreBounded) {
  server();
  const auto request = [](std::size_t filler) {
    return "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + std::string(filler, 'a') +
           "\r\n\r\n";
  };
  EXPECT_THAT(ask(request(32'000)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(request(32'768)), StartsWith("HTTP/1.1 431"));
  std::string many = "GET /hello HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 20'000; ++i)
    many += "A: b\r\n";
  EXPECT_THAT(ask(many), AllOf(StartsWith("HTTP/1.1 431"), HasSubstr("headers_too_large")));
}

TEST_F(HttpServerTest, BodiesAreBoundedByTheirRoute) {
  server();
  const auto sized = [](std::size_t bytes) {
    return "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
           std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'b');
  };
  EXPECT_EQ(body_of(ask(sized(1000))).size(), 1000u);
  EXPECT_THAT(ask(sized(1001)), AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("payload_too_large")));
  // The peer is still sending when it is refused, and yet reads why.
  EXPECT_THAT(ask(sized(3'000'000)), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, ChunkedBodiesAreReadAndBounded) {
  server();
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(body_of(ask(head + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")), "abcde");
  std::string large = head;
  for (int i = 0; i < 11; ++i)
    large += "64\r\n" + std::string(100, 'c') + "\r\n";
  EXPECT_THAT(ask(large), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask(head + "1;" + std::string(100'000, 'x')), StartsWith("HTTP/1.1 4"));
}

TEST_F(HttpServerTest, AClientThatAsksFirstIsToldToContinue) {
  server();
  RawPeer peer = connect();
  run_task(
      ioc,
      peer.say(
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(run_task(ioc, peer.read_until("\r\n\r\n")), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(body_of(exchange(peer, "hi")), "hi");
  run_task(ioc, peer.say("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nExpect: "
                         "100-continue\r\n\r\n"));
  EXPECT_THAT(run_task(ioc, peer.read_all()), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, ARequestThatDoesNotArriveIs408) {
  server({.read_timeout = 60ms});
  EXPECT_THAT(ask("GET /hello HT"), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"),
              StartsWith("HTTP/1.1 408"));
}

TEST_F(HttpServerTest, SlowlyDrippingARequestDoesNotProlongIt) {
  server({.read_timeout = 100ms});
  RawPeer peer = connect();
  Started<bool> dripping(ioc, [](RawPeer& to) -> Task<bool> {
    while (!to.closed) {
      co_await to.say("G");
      co_await sleep_for(5ms);
    }
    co_return true;
  }(peer));
  EXPECT_THAT(run_task(ioc, peer.read_all()), StartsWith("HTTP/1.1 408"));
  EXPECT_TRUE(soon([&] { return dripping.done() && running->server.connections() == 0; }));
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosedSilently) {
  server({.idle_timeout = 60ms});
  EXPECT_EQ(ask(""), "");
  RawPeer peer = connect();
  EXPECT_THAT(exchange(peer, kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(run_task(ioc, peer.read_all()), "");
  EXPECT_TRUE(soon([&] { return running->server.connections() == 0; }));
}

TEST_F(HttpServerTest, APeerThatLeavesCancelsItsHandler) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  peer.socket.close();
  EXPECT_TRUE(soon([&] { return handlers_cancelled == 1 && running->server.connections() == 0; }));
  EXPECT_THAT(observed, ElementsAre(Pair("/wait", 499)));
}

TEST_F(HttpServerTest, AResetCancelsTheHandler) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  peer.reset();
  EXPECT_TRUE(soon([&] { return handlers_cancelled == 1; }));
}

TEST_F(HttpServerTest, LeavingIsSeenBehindARequestSentAhead) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  run_task(ioc, peer.say(kGet));
  peer.socket.close();
  EXPECT_TRUE(soon([&] { return handlers_cancelled == 1; }));
}

TEST_F(HttpServerTest, APeerThatClosedItsSendingSideGetsAQuickAnswer) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  peer.socket.shutdown(tcp::socket::shutdown_send);
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  run_task(ioc, sleep_for(10ms));
  go.cancel();
  EXPECT_THAT(run_task(ioc, peer.read_all()), HasSubstr("waited"));
}

TEST_F(HttpServerTest, ErrorsOfHandlersAreAnswered) {
  running.emplace(ioc);
  auto& http = running->server;
  http.route("GET", "/known", [](ServerRequest) -> Task<ServerResponse> {
    throw Error(errc::io, "the disk is full");
    co_return ServerResponse{};
  });
  http.route("GET", "/unknown", [](ServerRequest) -> Task<ServerResponse> {
    throw std::runtime_error("internal detail");
    co_return ServerResponse{};
  });
  http.route("GET", "/aborts", [](ServerRequest) -> Task<ServerResponse> {
    throw boost::system::system_error(asio::error::operation_aborted);
    co_return ServerResponse{};
  });
  http.start();
  RawPeer peer = connect();
  const auto known = exchange(peer, "GET /known HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(known, AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("\"code\":\"io\""),
                           HasSubstr("the disk is full")));
  const auto unknown = exchange(peer, "GET /unknown HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(unknown, AllOf(StartsWith("HTTP/1.1 500"), HasSubstr("\"code\":\"internal\""),
                             Not(HasSubstr("internal detail"))));
  EXPECT_THAT(exchange(peer, "GET /aborts HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 500"));
  http.on_error([](const ServerRequest& request, const Error& error) {
    return ServerResponse::problem(507, "full", request.path + ": " + error.message());
  });
  EXPECT_THAT(exchange(peer, "GET /known HTTP/1.1\r\nHost: x\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 507"), HasSubstr("/known: the disk")));
}

TEST_F(HttpServerTest, FiltersRunBeforeAndAfter) {
  auto& http = server().server;
  http.before([](ServerRequest& request) -> std::optional<ServerResponse> {
    if (request.header("authorization")) return std::nullopt;
    return ServerResponse::problem(401, "unauthorized", "a key is needed");
  });
  http.after([](const ServerRequest& request, ServerResponse& response) {
    response.headers.emplace_back("X-Route", request.route);
    response.headers.emplace_back("X-Evil", "a\r\nX-Injected: 1");
  });
  RawPeer peer = connect();
  const auto refused = exchange(peer, kGet);
  EXPECT_THAT(refused, AllOf(StartsWith("HTTP/1.1 401"), HasSubstr("X-Route: /hello"),
                             Not(HasSubstr("\r\nX-Injected"))));
  EXPECT_THAT(exchange(peer, "GET /hello HTTP/1.1\r\nHost: x\r\nAuthorization: k\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(header_of(exchange(peer, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), "X-Evil"),
            "a  X-Injected: 1");
  EXPECT_THAT(exchange(peer, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(waiting, 0);
}

TEST_F(HttpServerTest, BodilessStatusesHaveNoLength) {
  running.emplace(ioc);
  running->server.route("DELETE", "/x", [](ServerRequest) -> Task<ServerResponse> {
    ServerResponse gone;
    gone.status = 204;
    gone.body = "dropped";
    gone.headers = {{"Content-Length", "7"}, {"Transfer-Encoding", "chunked"}};
    co_return gone;
  });
  running->server.start();
  RawPeer peer = connect();
  for (int i = 0; i < 2; ++i) {
    const auto response = exchange(peer, "DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(response, AllOf(StartsWith("HTTP/1.1 204 No Content\r\n"),
                                Not(HasSubstr("Content-Length")), Not(HasSubstr("chunked"))));
    EXPECT_EQ(body_of(response), "");
  }
}

TEST_F(HttpServerTest, StreamsAreChunkedAndEndProperly) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  const auto head = run_task(ioc, peer.read_until("\r\n\r\n"));
  EXPECT_THAT(head,
              AllOf(StartsWith("HTTP/1.1 200 OK"), HasSubstr("Content-Type: text/event-stream"),
                    HasSubstr("Transfer-Encoding: chunked"), Not(HasSubstr("Content-Length"))));
  EXPECT_EQ(run_task(ioc, peer.read_bytes(14)), "9\r\ndata: 1\n\n\r\n");
  go.cancel();
  EXPECT_EQ(run_task(ioc, peer.read_until("0\r\n\r\n")), "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  EXPECT_THAT(exchange(peer, kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, StreamsToHttp10EndWithTheConnection) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /events HTTP/1.0\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  run_task(ioc, peer.read_until("data: 1\n\n"));
  go.cancel();
  EXPECT_EQ(run_task(ioc, peer.read_all()), "data: 2\n\n");
}

TEST_F(HttpServerTest, AStreamsPeerThatLeavesCancelsIt) {
  server();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  peer.socket.close();
  EXPECT_TRUE(soon([&] { return handlers_cancelled == 1 && running->server.connections() == 0; }));
}

TEST_F(HttpServerTest, AStreamsErrorBeforeItsFirstWriteIsAnAnswer) {
  running.emplace(ioc);
  running->server.on_error([](const ServerRequest&, const Error& error) {
    return ServerResponse::problem(404, name_of(error.code()), error.message());
  });
  running->server.stream("GET", "/early", "text/event-stream",
                         [](ServerRequest, ResponseStream&) -> Task<> {
                           throw Error(errc::not_found, "no such activation");
                           co_return;
                         });
  running->server.stream("GET", "/late", "text/event-stream",
                         [](ServerRequest, ResponseStream& out) -> Task<> {
                           co_await out.write("x");
                           throw Error(errc::internal, "broke off");
                         });
  running->server.start();
  RawPeer peer = connect();
  EXPECT_THAT(exchange(peer, "GET /early HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 404"));
  run_task(ioc, peer.say("GET /late HTTP/1.1\r\nHost: x\r\n\r\n"));
  // No last chunk: the peer can tell that it is incomplete.
  EXPECT_EQ(body_of(run_task(ioc, peer.read_all())), "1\r\nx\r\n");
}

TEST_F(HttpServerTest, AStreamMayTurnOutToBeAWholeAnswer) {
  running.emplace(ioc);
  running->server.stream("POST", "/either", "text/event-stream", 100,
                         [](ServerRequest request, ResponseStream& out) -> Task<> {
                           out.answer(ServerResponse::json(202, request.body));
                           co_return;
                         });
  running->server.start();
  RawPeer peer = connect();
  for (int i = 0; i < 2; ++i) {
    const auto response =
        exchange(peer, "POST /either HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_THAT(response, AllOf(StartsWith("HTTP/1.1 202"), HasSubstr("application/json"),
                                Not(HasSubstr("chunked"))));
    EXPECT_EQ(body_of(response), "{}");
  }
  EXPECT_THAT(exchange(peer, "POST /either HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, AReaderWhoTakesNothingLosesItsStream) {
  running.emplace(ioc, HttpServer::Options{.write_timeout = 80ms});
  std::string failure;
  running->server.stream("GET", "/flood", "text/plain",
                         [&](ServerRequest, ResponseStream& out) -> Task<> {
                           try {
                             for (;;)
                               co_await out.write(std::string(1 << 20, 'x'));
                           } catch (const Error& error) {
                             failure = error.message();
                             throw;
                           }
                         });
  running->server.start();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(soon([&] { return running->server.connections() == 0; }));
  EXPECT_THAT(failure, HasSubstr("gone"));
}

TEST_F(HttpServerTest, WhereAllAreBeingAnsweredANewcomerIsRefusedPolitely) {
  server({.connections_max = 2});
  RawPeer first = connect();
  RawPeer second = connect();
  run_task(ioc, first.say(kWait));
  run_task(ioc, second.say(kWait));
  ASSERT_TRUE(soon([&] { return waiting == 2; }));
  EXPECT_THAT(ask(kGet), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("overloaded"),
                               HasSubstr("Retry-After: 1")));
  EXPECT_EQ(running->server.load().turned_away, 1u);
  first.socket.close();
  ASSERT_TRUE(soon([&] { return running->server.connections() == 1; }));
  EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  go.cancel();
  EXPECT_THAT(run_task(ioc, second.read_response()), HasSubstr("waited"));
}

TEST_F(HttpServerTest, FullOfIdleConnectionsItStillAnswersAndTheLongestIdleGoes) {
  server({.connections_max = 3});
  RawPeer oldest = connect();
  exchange(oldest, kGet);
  RawPeer middle = connect();
  exchange(middle, kGet);
  RawPeer newest = connect();
  exchange(newest, kGet);
  exchange(oldest, kGet);  // and now it is the youngest
  EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(run_task(ioc, middle.read_all()), "") << "closed without a word";
  EXPECT_THAT(exchange(oldest, kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(exchange(newest, kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AThousandIdleAndSlowConnectionsRefuseNobody) {
  constexpr std::size_t kPlaces = 1024;
  server({.connections_max = kPlaces});
  ASSERT_EQ(running->server.connections(), 0u);
  std::vector<RawPeer> crowd;
  for (std::size_t i = 0; i < kPlaces; ++i) {
    crowd.push_back(connect());
    // Every second one has sent half a request.
    if (i % 2 == 1) run_task(ioc, crowd.back().say("GET /hello HTTP/1.1\r\nHost:"));
  }
  ASSERT_TRUE(soon([&] { return running->server.connections() == kPlaces; }));
  for (int i = 0; i < 50; ++i)
    EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  EXPECT_LE(running->server.connections(), kPlaces);
  // Each took one place, from the longest idle, and gave it back for the next.
  EXPECT_EQ(running->server.load().turned_away, 1u);
  for (int i = 0; i < 50; ++i) {
    crowd.push_back(connect());
    EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(HttpServerTest, DrippingARequestKeepsNoPlace) {
  server({.connections_max = 2});
  RawPeer dripping = connect();
  run_task(ioc, dripping.say("GET /hel"));
  RawPeer idle = connect();
  exchange(idle, kGet);
  run_task(ioc, dripping.say("lo"));  // the youngest byte of all
  EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(run_task(ioc, dripping.read_all()), "");
  EXPECT_THAT(exchange(idle, kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, WhoIsAnsweredKeepsItsPlaceInAFullServer) {
  server({.connections_max = 3});
  RawPeer busy = connect();
  run_task(ioc, busy.say(kWait));
  RawPeer stream = connect();
  run_task(ioc, stream.say(kEvents));
  ASSERT_TRUE(soon([&] { return waiting == 2; }));
  RawPeer idle = connect();
  exchange(idle, kGet);
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(ask(kGetClose), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(handlers_cancelled, 0);
  go.cancel();
  EXPECT_THAT(run_task(ioc, busy.read_response()), HasSubstr("waited"));
  EXPECT_THAT(run_task(ioc, stream.read_until("data: 2\n\n")), HasSubstr("data: 2"));
}

TEST_F(HttpServerTest, StreamsCannotTakeAllPlaces) {
  server({.connections_max = 4});
  std::vector<RawPeer> streams;
  for (int i = 0; i < 2; ++i) {
    streams.push_back(connect());
    run_task(ioc, streams.back().say(kEvents));
  }
  ASSERT_TRUE(soon([&] { return waiting == 2; }));
  RawPeer third = connect();
  EXPECT_THAT(exchange(third, kEvents),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("too many event streams")));
  EXPECT_THAT(exchange(third, kGet), StartsWith("HTTP/1.1 200")) << "the connection stays";
  streams.front().socket.close();
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  run_task(ioc, third.say(kEvents));
  EXPECT_TRUE(soon([&] { return waiting == 2; }));
}

TEST_F(HttpServerTest, OneAddressWithManyStreamsMakesRoomForAnother) {
  server({.host = "0.0.0.0", .connections_max = 8, .streams_max = 3});
  std::vector<RawPeer> greedy;
  for (int i = 0; i < 3; ++i) {
    greedy.push_back(connect());
    run_task(ioc, greedy.back().say(kEvents));
    ASSERT_TRUE(soon([&] { return waiting == i + 1; }));
  }
  RawPeer other = connect_from("127.0.0.2");
  run_task(ioc, other.say(kEvents));
  EXPECT_THAT(run_task(ioc, other.read_until("data: 1\n\n")), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(soon([&] { return handlers_cancelled == 1; }));
  EXPECT_THAT(run_task(ioc, greedy.front().read_all()), HasSubstr("data: 1")) << "its oldest ends";
  EXPECT_EQ(waiting, 3);
  // Two and one: a second of the other would only turn it round.
  RawPeer second = connect_from("127.0.0.2");
  EXPECT_THAT(exchange(second, kEvents), StartsWith("HTTP/1.1 503"));
}

TEST_F(HttpServerTest, AReaderWhoTakesNothingGivesWay) {
  running.emplace(ioc, HttpServer::Options{.connections_max = 1});
  bool began = false;
  running->server.route("GET", "/large", [&](ServerRequest) -> Task<ServerResponse> {
    began = true;
    co_return ServerResponse::text(200, std::string(64 << 20, 'x'), "text/plain");
  });
  running->server.route("GET", "/hello", [](ServerRequest) -> Task<ServerResponse> {
    co_return ServerResponse::text(200, "hello", "text/plain");
  });
  running->server.start();
  RawPeer stuck = connect();
  run_task(ioc, stuck.say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return began; }));
  EXPECT_TRUE(soon([&] { return ask(kGetClose).starts_with("HTTP/1.1 200"); }));
}

TEST_F(HttpServerTest, StoppingLetsARunningHandlerFinish) {
  server();
  RawPeer idle = connect();
  RawPeer busy = connect();
  exchange(idle, kGet);
  run_task(ioc, busy.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 1; }));
  const int port = running->server.port();

  Started<bool> stopping(ioc, [](HttpServer& http) -> Task<bool> {
    co_await http.stop(10s);
    co_return true;
  }(running->server));

  EXPECT_EQ(run_task(ioc, idle.read_all()), "") << "idle connections are closed at once";
  EXPECT_THROW(connect_raw(ioc, port), boost::system::system_error);
  EXPECT_FALSE(stopping.done());
  go.cancel();
  const auto answer = run_task(ioc, busy.read_all());
  EXPECT_THAT(answer,
              AllOf(HasSubstr("200 OK"), HasSubstr("Connection: close"), HasSubstr("waited")));
  EXPECT_TRUE(soon([&] { return stopping.done(); }));
  EXPECT_EQ(handlers_cancelled, 0);
}

TEST_F(HttpServerTest, HandlersThatOutlastTheGraceAreCancelledAndAnswered) {
  server();
  RawPeer busy = connect();
  RawPeer stream = connect();
  run_task(ioc, busy.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  run_task(ioc, stream.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 2; }));
  run_task(ioc, running->server.stop(50ms));
  EXPECT_EQ(handlers_cancelled, 2);
  EXPECT_EQ(running->server.connections(), 0u);
  EXPECT_THAT(run_task(ioc, busy.read_all()),
              AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("stopping")));
  EXPECT_THAT(run_task(ioc, stream.read_all()), HasSubstr("0\r\n\r\n"));
  run_task(ioc, running->server.stop(50ms));  // harmless
}

TEST_F(HttpServerTest, StoppingIsNotHeldUpByAReaderWhoTakesNothing) {
  running.emplace(ioc);
  bool began = false;
  running->server.route("GET", "/large", [&](ServerRequest) -> Task<ServerResponse> {
    began = true;
    co_return ServerResponse::text(200, std::string(64 << 20, 'x'), "text/plain");
  });
  running->server.start();
  RawPeer peer = connect();
  run_task(ioc, peer.say("GET /large HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return began; }));
  const auto before = BootClock::now();
  run_task(ioc, running->server.stop(20ms));
  EXPECT_LT(BootClock::now() - before, 4s);
}

TEST_F(HttpServerTest, APortInUseIsNamedWithTheFix) {
  server();
  TestServer second(ioc, {.port = running->server.port()});
  const auto error = error_of([&] { second->start(); });
  EXPECT_EQ(error.code(), errc::port_in_use);
  EXPECT_EQ(
      error.message(),
      "port " + std::to_string(running->server.port()) +
          " on 127.0.0.1 is already in use; choose another with a flag or stop the other program");
}

TEST_F(HttpServerTest, HostsItCannotListenOnAreNamed) {
  for (const char* host : {"192.0.2.1", "no-such-host.invalid"}) {
    TestServer http(ioc, {.host = host});
    const auto error = error_of([&] { http->start(); });
    EXPECT_EQ(error.code(), errc::io) << host;
    EXPECT_THAT(error.message(), HasSubstr(host));
  }
  TestServer http(ioc, {.port = 70000});
  EXPECT_EQ(error_of([&] { http->start(); }).code(), errc::invalid_argument);
}

TEST_F(HttpServerTest, ListensOnNamesAndBothFamilies) {
  HttpClient client(ioc.get_executor(), {});
  for (const char* host : {"localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]", "::"}) {
    TestServer http(ioc, {.host = host});
    bool loopback = false;
    std::string address;
    http->route("GET", "/", [&](ServerRequest request) -> Task<ServerResponse> {
      loopback = request.peer_is_loopback;
      address = request.peer_address;
      co_return ServerResponse{};
    });
    http->start();
    EXPECT_EQ(run_task(ioc, client.send({.url = http->url()})).status, 200) << host;
    EXPECT_TRUE(loopback) << host;
    if (std::string_view(host) != "::") continue;
    EXPECT_EQ(
        run_task(ioc, client.send({.url = "http://127.0.0.1:" + std::to_string(http->port())}))
            .status,
        200);
    EXPECT_TRUE(loopback);
    EXPECT_EQ(address, "127.0.0.1");
  }
}

TEST_F(HttpServerTest, TwoHundredLongPollsAreCheap) {
  server();
  std::vector<RawPeer> peers;
  for (int i = 0; i < 200; ++i)
    peers.push_back(connect());
  ASSERT_TRUE(soon([&] { return running->server.connections() == 200; }));
  const auto before = mallinfo2().uordblks;
  for (auto& peer : peers)
    run_task(ioc, peer.say("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"));
  ASSERT_TRUE(soon([&] { return waiting == 200; }));
  const auto each = (mallinfo2().uordblks - before) / 200;
  std::printf("bytes per waiting handler: %zu\n", static_cast<std::size_t>(each));
  EXPECT_LT(each, 50u * 1024);
  go.cancel();
  EXPECT_TRUE(soon([&] { return waiting == 0; }));
}

TEST_F(HttpServerTest, StartAndStopManyTimesUnderLoad) {
  HttpClient client(ioc.get_executor(), {});
  for (int round = 0; round < 30; ++round) {
    TestServer http(ioc);
    http->route("GET", "/", [](ServerRequest) -> Task<ServerResponse> {
      co_await sleep_for(1ms);
      co_return ServerResponse::text(200, "x", "text/plain");
    });
    http->start();
    std::vector<Started<HttpResponse>> sending;
    for (int i = 0; i < 10; ++i)
      sending.emplace_back(ioc, client.send({.url = http->url()}));
    for (int i = 0; i < round; ++i)
      ioc.poll_one();
    run_task(ioc, http->stop(round % 2 == 0 ? 0s : 1s));
    ASSERT_TRUE(soon([&] { return client.active() == 0; }));
  }
}

}  // namespace
}  // namespace botburrow::net
