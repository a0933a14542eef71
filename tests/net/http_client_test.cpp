#include "net/http_client.hpp"

#include "tests/net/raw_peer.hpp"

#include <malloc.h>
#include <stdlib.h>

namespace botburrow::net {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

HttpRequest get(std::string url) {
  return {.url = std::move(url)};
}
HttpRequest post(std::string url, std::string body) {
  return {.method = "POST", .url = std::move(url), .body = std::move(body)};
}

struct HttpClientTest : testing::Test {
  HttpResponse send(HttpRequest request) { return run_task(ioc, client.send(std::move(request))); }
  Error failure(HttpRequest request) {
    return error_of([&] { send(std::move(request)); });
  }
  /// Answers every request of every connection with `text`.
  RawServer::Serve always(std::string text) {
    return [this, text](RawPeer& peer) -> Task<> {
      for (;;) {
        std::string head = co_await peer.read_until("\r\n\r\n");
        if (peer.closed) co_return;
        requests.push_back(head);
        co_await peer.say(text);
      }
    };
  }
  /// Takes a request and says nothing until the client leaves.
  RawServer::Serve silence() {
    return [](RawPeer& peer) -> Task<> { co_await peer.read_all(); };
  }

  asio::io_context ioc;
  HttpClient client{ioc.get_executor(), {.user_agent = "botburrow-agents/test"}};
  std::vector<std::string> requests;
};

TEST_F(HttpClientTest, AnAnswerHasStatusLowerCaseHeadersAndBody) {
  RawServer server(
      ioc, always("HTTP/1.1 418 I'm a teapot\r\nX-Kind:  Tea \r\nContent-Length: 3\r\n\r\nhot"));

  const auto answer = send(get(server.url() + "/pot?a=1"));

  EXPECT_EQ(answer.status, 418);
  EXPECT_FALSE(answer.ok());
  EXPECT_EQ(answer.header("x-kind"), "Tea");
  EXPECT_EQ(answer.header("absent"), std::nullopt);
  EXPECT_EQ(answer.body, "hot");
  EXPECT_THAT(requests.at(0), AllOf(StartsWith("GET /pot?a=1 HTTP/1.1\r\n"),
                                    HasSubstr("User-Agent: botburrow-agents/test\r\n"),
                                    Not(HasSubstr("Content-")), Not(HasSubstr("Expect"))));
  EXPECT_EQ(client.active(), 0u);
}

TEST_F(HttpClientTest, MethodsCarryTheirBodies) {
  TestServer server(ioc);
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "GET"}) {
    server->route(method, "/x", 1 << 20, [](ServerRequest request) -> Task<ServerResponse> {
      co_return ServerResponse::text(
          200,
          request.method + " " + request.header("content-type").value_or("none") + " " +
              request.header("content-length").value_or("none") + " " + request.body.substr(0, 5),
          "text/plain");
    });
  }
  server->start();
  const std::string url = server->url() + "/x";
  const auto ask = [&](std::string method, std::string body, HttpHeaders headers = {}) {
    return send({.method = method, .url = url, .headers = headers, .body = body}).body;
  };
  EXPECT_EQ(ask("POST", "hello", {{"Content-Type", "application/json"}}),
            "POST application/json 5 hello");
  EXPECT_EQ(ask("POST", ""), "POST none 0 ");
  EXPECT_EQ(ask("PUT", std::string(500'000, 'x')), "PUT none 500000 xxxxx");
  EXPECT_EQ(ask("PATCH", "p"), "PATCH none 1 p");
  EXPECT_EQ(ask("DELETE", ""), "DELETE none none ");
  EXPECT_EQ(ask("DELETE", "d"), "DELETE none 1 d");
  const auto head = send({.method = "HEAD", .url = url});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST_F(HttpClientTest, KeptConnectionsAreUsedAgain) {
  RawServer server(ioc, always(kOk));
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(send(get(server.url())).body, "ok");
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, NobodyListensIsNotSent) {
  std::string url;
  {
    RawServer gone(ioc, silence());
    url = gone.url();
  }
  const auto error = failure(get(url));
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.retry(), Retry::after_backoff);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_THAT(error.message(), AllOf(StartsWith(url + ": "), HasSubstr("(not sent)")));
}

TEST_F(HttpClientTest, AnUnknownHostIsNotSent) {
  auto request = get("http://no-such-host.invalid/");
  request.total_timeout = 5s;
  EXPECT_EQ(failure(std::move(request)).detail(), "not_sent");
}

TEST_F(HttpClientTest, ClosingBeforeTheAnswerIsMaybeSent) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> { co_await peer.read_until("\r\n\r\n"); });
  const auto error = failure(post(server.url(), ""));
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "maybe_sent");
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, ResetAfterTheRequestIsMaybeSent) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    peer.reset();
  });
  const auto error = failure(post(server.url(), ""));
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "maybe_sent");
}

TEST_F(HttpClientTest, AnAnswerCutShortIsAnError) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    co_await peer.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
  });
  const auto error = failure(get(server.url()));
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "maybe_sent");
}

TEST_F(HttpClientTest, WhatIsNoHttpIsAnError) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    co_await peer.say("-ERR unknown command 'GET'\r\n");
  });
  EXPECT_EQ(failure(get(server.url())).code(), errc::http_unavailable);
}

/// The second request of a connection is read and then answered by a reset.
RawServer::Serve resets_second_request(std::shared_ptr<std::vector<std::string>> seen) {
  return [seen](RawPeer& peer) -> Task<> {
    seen->push_back(co_await peer.read_until("\r\n\r\n"));
    co_await peer.say(kOk);
    std::string second = co_await peer.read_until("\r\n\r\n");
    if (peer.closed) co_return;
    seen->push_back(second);
    peer.reset();
  };
}

TEST_F(HttpClientTest, APostIsNeverSentTwiceByItself) {
  auto seen = std::make_shared<std::vector<std::string>>();
  RawServer server(ioc, resets_second_request(seen));
  EXPECT_TRUE(send(get(server.url())).ok());

  const auto error = failure(post(server.url(), ""));

  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "maybe_sent");
  EXPECT_EQ(std::count_if(seen->begin(), seen->end(),
                          [](auto& head) { return head.starts_with("POST"); }),
            1);
}

TEST_F(HttpClientTest, AGetOnADeadKeptConnectionIsSentAgain) {
  auto seen = std::make_shared<std::vector<std::string>>();
  RawServer server(ioc, resets_second_request(seen));
  EXPECT_TRUE(send(get(server.url())).ok());
  EXPECT_TRUE(send(get(server.url())).ok());
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(HttpClientTest, TotalTimeoutEndsASlowDrip) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    co_await peer.say("HTTP/1.1 200 OK\r\n\r\n");
    while (!peer.closed) {
      co_await peer.say("x");
      co_await sleep_for(10ms);
    }
  });
  auto request = get(server.url());
  request.total_timeout = 150ms;
  request.idle_timeout = 100ms;  // never reached: bytes come
  const auto before = BootClock::now();
  const auto error = failure(std::move(request));
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_EQ(error.detail(), "maybe_sent");
  EXPECT_GE(BootClock::now() - before, 150ms);
  EXPECT_TRUE(run_until(
      ioc, [&] { return server.ended() == 1; }, 5s))
      << "the connection stays open";
}

TEST_F(HttpClientTest, IdleTimeoutEndsAStall) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    co_await peer.say("HTTP/1.1 200 OK\r\n\r\nfirst");
    co_await peer.read_all();
  });
  auto request = get(server.url());
  request.idle_timeout = 80ms;
  const auto before = BootClock::now();
  const auto error = failure(std::move(request));
  const auto took = BootClock::now() - before;
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_THAT(error.message(), HasSubstr("80 ms"));
  EXPECT_GE(took, 80ms);
  EXPECT_LT(took, 3s);
}

TEST_F(HttpClientTest, ADeadlineShortensTheTotal) {
  RawServer server(ioc, silence());
  const auto error =
      error_of([&] { run_task(ioc, client.send(get(server.url()), Deadline::in(50ms))); });
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_EQ(error.detail(), "maybe_sent");
}

TEST_F(HttpClientTest, ADeadlineInThePastSendsNothing) {
  RawServer server(ioc, always(kOk));
  const auto error =
      error_of([&] { run_task(ioc, client.send(get(server.url()), Deadline::in(-1s))); });
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_TRUE(requests.empty());
}

TEST_F(HttpClientTest, ConnectTimeoutCoversTheTlsHandshake) {
  RawServer server(ioc, silence());
  auto request = get("https://127.0.0.1:" + std::to_string(server.port()));
  request.connect_timeout = 100ms;
  const auto error = failure(std::move(request));
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_EQ(error.detail(), "not_sent");
}

TEST_F(HttpClientTest, ABodyOverTheCapIsALimit) {
  RawServer server(
      ioc, always("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'x')));
  auto request = get(server.url());
  request.response_bytes_max = 1001;
  EXPECT_EQ(send(request).body.size(), 1001u);
  request.response_bytes_max = 1000;
  const auto error = failure(request);
  EXPECT_EQ(error.code(), errc::limit);
  EXPECT_THAT(error.message(), HasSubstr("1000 bytes"));
}

TEST_F(HttpClientTest, EndlessHeadersAreALimit) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i)
    head += "X-Filler: " + std::string(100, 'x') + "\r\n";
  RawServer server(ioc, always(head + "\r\n"));
  EXPECT_EQ(failure(get(server.url())).code(), errc::limit);
}

TEST_F(HttpClientTest, ChunkedBodiesAndTrailers) {
  RawServer server(ioc, always("HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 "
                               "OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Late: 1\r\n\r\n"));
  const auto answer = send(get(server.url()));
  EXPECT_EQ(answer.body, "abcdefg");
  EXPECT_EQ(answer.header("x-early"), std::nullopt);
  EXPECT_EQ(answer.header("x-late"), std::nullopt);
}

TEST_F(HttpClientTest, PiecesAreHandedOverAsTheyCome) {
  TestServer server(ioc);
  asio::steady_timer go(ioc, asio::steady_timer::time_point::max());
  server->stream("GET", "/events", "text/event-stream",
                 [&](ServerRequest, ResponseStream& out) -> Task<> {
                   co_await out.write("one");
                   co_await go.async_wait(kRawTuple);  // until the client has the first piece
                   co_await out.write("two");
                 });
  server->start();
  std::vector<std::string> pieces;
  auto request = get(server->url() + "/events");
  std::string type_when_it_began;
  request.on_head = [&](const HttpResponse& head) {
    EXPECT_TRUE(pieces.empty());
    EXPECT_EQ(head.status, 200);
    for (const auto& [name, value] : head.headers)
      if (name == "content-type") type_when_it_began += value;
  };
  request.on_body = [&](std::string_view piece) {
    pieces.emplace_back(piece);
    go.cancel();
    return true;
  };
  const auto answer = send(std::move(request));
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("content-type"), "text/event-stream");
  EXPECT_THAT(pieces, testing::ElementsAre("one", "two"));
  EXPECT_EQ(type_when_it_began, "text/event-stream");
}

TEST_F(HttpClientTest, AReaderWhoHasEnoughEndsTheExchange) {
  RawServer server(ioc, [](RawPeer& peer) -> Task<> {
    co_await peer.read_until("\r\n\r\n");
    while (!peer.closed)
      co_await peer.say("HTTP/1.1 200 OK\r\n\r\n" + std::string(1000, 'x'));
  });
  auto request = get(server.url());
  request.on_body = [](std::string_view) { return false; };
  EXPECT_EQ(send(std::move(request)).status, 200);
  EXPECT_TRUE(run_until(ioc, [&] { return server.ended() == 1; }, 5s));
}

TEST_F(HttpClientTest, AReadersExceptionReachesTheCaller) {
  RawServer server(ioc, always(kOk));
  auto request = get(server.url());
  request.on_body = [](std::string_view) -> bool { throw Error(errc::protocol, "bad event"); };
  EXPECT_EQ(failure(std::move(request)).message(), "bad event");
}

TEST_F(HttpClientTest, BodiesOfErrorsAreCollectedAlsoForReaders) {
  RawServer server(ioc, always("HTTP/1.1 429 Slow down\r\nContent-Length: 4\r\n\r\nwait"));
  auto request = get(server.url());
  request.on_body = [](std::string_view) -> bool { throw Error(errc::internal, "not for this"); };
  EXPECT_EQ(send(std::move(request)).body, "wait");
}

std::string redirect_to(const std::string& where) {
  return "HTTP/1.1 302 Found\r\nLocation: " + where + "\r\nContent-Length: 0\r\n\r\n";
}

TEST_F(HttpClientTest, RedirectsOnTheSameHostAreFollowed) {
  RawServer server(ioc, [&](RawPeer& peer) -> Task<> {
    for (;;) {
      std::string head = co_await peer.read_until("\r\n\r\n");
      if (peer.closed) co_return;
      requests.push_back(head);
      const bool first = requests.size() == 1;
      co_await peer.say(first ? redirect_to("/there?x=1") : kOk);
    }
  });
  auto request = get(server.url() + "/here");
  request.headers = {{"Authorization", "Bearer k"}};
  EXPECT_EQ(send(std::move(request)).body, "ok");
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_THAT(requests[1],
              AllOf(StartsWith("GET /there?x=1 "), HasSubstr("Authorization: Bearer k")));
}

TEST_F(HttpClientTest, RedirectsElsewhereAreTheAnswer) {
  RawServer other(ioc, always(kOk));
  for (const std::string& where :
       {other.url() + "/", std::string("http://localhost:1/"), std::string("ftp://127.0.0.1/"),
        std::string("file:///etc/passwd"), std::string("http://[broken")}) {
    RawServer server(ioc, always(redirect_to(where)));
    EXPECT_EQ(send(get(server.url())).status, 302) << where;
  }
  EXPECT_EQ(other.accepted(), 0);
}

TEST_F(HttpClientTest, APostIsNotRedirected) {
  RawServer server(ioc, always(redirect_to("/there")));
  EXPECT_EQ(send(post(server.url(), "")).status, 302);
  EXPECT_EQ(requests.size(), 1u);
}

TEST_F(HttpClientTest, RedirectsEnd) {
  RawServer server(ioc, always(redirect_to("/again")));
  EXPECT_EQ(send(get(server.url())).status, 302);
  EXPECT_EQ(requests.size(), 4u);
}

TEST_F(HttpClientTest, CancellingWhileWaitingClosesTheConnection) {
  RawServer server(ioc, silence());
  Started<HttpResponse> sending(ioc, client.send(get(server.url())));
  ASSERT_TRUE(run_until(ioc, [&] { return server.accepted() == 1; }, 5s));
  EXPECT_EQ(client.active(), 1u);

  sending.cancel();

  EXPECT_TRUE(run_until(ioc, [&] { return server.ended() == 1 && sending.done(); }, 5s));
  EXPECT_TRUE(sending.cancelled());
  EXPECT_EQ(client.active(), 0u);
}

TEST_F(HttpClientTest, CancellingWhileANameIsLookedUpReturnsAtOnce) {
  Started<HttpResponse> sending(ioc, client.send(get("http://a.no-such-host.invalid/")));
  ioc.poll();
  const auto before = BootClock::now();
  sending.cancel();
  EXPECT_TRUE(run_until(ioc, [&] { return sending.done(); }, 5s));
  EXPECT_LT(BootClock::now() - before, 500ms);
}

TEST_F(HttpClientTest, ExchangesBeyondTheLimitWaitForAPlace) {
  HttpClient narrow(ioc.get_executor(), {.connections_max = 1});
  RawServer server(ioc, silence());
  Started<HttpResponse> first(ioc, narrow.send(get(server.url())));
  Started<HttpResponse> second(ioc, narrow.send(get(server.url())));
  Started<HttpResponse> third(ioc, narrow.send(get(server.url())));
  ASSERT_TRUE(run_until(ioc, [&] { return server.accepted() == 1; }, 5s));
  EXPECT_EQ(narrow.active(), 3u);

  second.cancel();  // in the queue
  ASSERT_TRUE(run_until(ioc, [&] { return second.cancelled(); }, 5s));
  EXPECT_EQ(server.accepted(), 1);
  first.cancel();
  EXPECT_TRUE(run_until(ioc, [&] { return server.accepted() == 2; }, 5s));
  third.cancel();
  EXPECT_TRUE(run_until(ioc, [&] { return third.cancelled() && first.cancelled(); }, 5s));
  EXPECT_EQ(narrow.active(), 0u);
}

TEST_F(HttpClientTest, ATimeoutInTheQueueIsNotSent) {
  HttpClient narrow(ioc.get_executor(), {.connections_max = 1});
  RawServer server(ioc, silence());
  Started<HttpResponse> first(ioc, narrow.send(get(server.url())));
  const auto error =
      error_of([&] { run_task(ioc, narrow.send(get(server.url()), Deadline::in(50ms))); });
  EXPECT_EQ(error.code(), errc::timeout);
  EXPECT_EQ(error.detail(), "not_sent");
  first.cancel();
  EXPECT_TRUE(run_until(ioc, [&] { return first.done(); }, 5s));
}

TEST_F(HttpClientTest, AThousandExchangesWaitInOneThread) {
  constexpr std::size_t kCount = 1000;
  HttpClient wide(ioc.get_executor(), {.connections_max = 2000});
  TestServer server(ioc, {.connections_max = 2000});
  std::size_t waiting = 0;
  asio::steady_timer go(ioc, asio::steady_timer::time_point::max());
  server->route("POST", "/wait", [&](ServerRequest) -> Task<ServerResponse> {
    ++waiting;
    co_await go.async_wait(kRawTuple);
    co_return ServerResponse::text(200, "done", "text/plain");
  });
  server->start();
  const auto before = mallinfo2().uordblks;
  std::vector<Started<HttpResponse>> sending;
  sending.reserve(kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    sending.emplace_back(ioc, wide.send(post(server->url() + "/wait", std::string(1000, 'x'))));
  }
  ASSERT_TRUE(run_until(ioc, [&] { return waiting == kCount; }, 30s)) << waiting;
  const auto each = (mallinfo2().uordblks - before) / kCount;
  RecordProperty("bytes_per_exchange_both_sides", static_cast<int>(each));
  std::printf("bytes per waiting exchange, client and server: %zu\n", each);
  EXPECT_LT(each, 64u * 1024);

  go.cancel();
  EXPECT_TRUE(run_until(ioc, [&] { return wide.active() == 0; }, 30s));
  for (const auto& one : sending)
    EXPECT_EQ(one.state->value.body, "done");
}

TEST_F(HttpClientTest, ProxiesOfTheEnvironmentAreUsedExceptForNoProxy) {
  RawServer proxy(ioc, always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy"));
  RawServer direct(ioc, always(kOk));
  setenv("HTTP_PROXY", proxy.url().c_str(), 1);
  setenv("NO_PROXY", "127.0.0.1", 1);
  HttpClient proxied(ioc.get_executor(), {});
  unsetenv("HTTP_PROXY");
  unsetenv("NO_PROXY");

  EXPECT_EQ(run_task(ioc, proxied.send(get("http://hub.test/x"))).body, "proxy");
  EXPECT_THAT(requests.back(), StartsWith("GET http://hub.test/x HTTP/1.1\r\n"));
  EXPECT_EQ(run_task(ioc, proxied.send(get(direct.url()))).body, "ok");
}

TEST_F(HttpClientTest, AProxyThatRefusesATunnelMeansNotSent) {
  RawServer proxy(ioc, always("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  setenv("HTTPS_PROXY", proxy.url().c_str(), 1);
  HttpClient proxied(ioc.get_executor(), {});
  unsetenv("HTTPS_PROXY");
  const auto error =
      error_of([&] { run_task(ioc, proxied.send(post("https://hub.test/x", "secret"))); });
  EXPECT_EQ(error.code(), errc::http_unavailable);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_THAT(requests.at(0), StartsWith("CONNECT hub.test:443 "));
}

TEST_F(HttpClientTest, BadUrlsMethodsAndHeadersAreRefusedBeforeAnythingIsSent) {
  RawServer server(ioc, always(kOk));
  EXPECT_EQ(failure(get("ftp://x/")).code(), errc::invalid_argument);
  EXPECT_EQ(failure({.method = "GET X", .url = server.url()}).code(), errc::invalid_argument);
  for (const auto& header : HttpHeaders{{"A", "1\r\nB: secret"},
                                        {"A\r\nB", "secret"},
                                        {"", "secret"},
                                        {"A:", "secret"},
                                        {"A", std::string("x\0y", 3)}}) {
    const auto error = failure({.url = server.url(), .headers = {header}});
    EXPECT_EQ(error.code(), errc::invalid_argument);
    EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
  }
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(HttpClientTest, MessagesHoldNoSecret) {
  std::string url;
  {
    RawServer gone(ioc, silence());
    url = "http://joe:secret1@127.0.0.1:" + std::to_string(gone.port()) + "/secret2?key=secret3";
  }
  auto request = post(url, "secret4");
  request.headers = {{"Authorization", "Bearer secret5"}};
  EXPECT_THAT(failure(std::move(request)).message(), Not(HasSubstr("secret")));
}

TEST_F(HttpClientTest, AHeaderMayBeEmpty) {
  RawServer server(ioc, always(kOk));
  send({.url = server.url(), .headers = {{"X-Empty", ""}}});
  EXPECT_THAT(requests.at(0), HasSubstr("\r\nX-Empty:\r\n"));
}

TEST(HttpClientLife, AnExecutorMayEndWithExchangesUnderWay) {
  auto ioc = std::make_unique<asio::io_context>();
  auto client =
      std::make_unique<HttpClient>(ioc->get_executor(), HttpClient::Options{.connections_max = 2});
  RawServer server(*ioc, [](RawPeer& peer) -> Task<> { co_await peer.read_all(); });
  for (int i = 0; i < 4; ++i)
    asio::co_spawn(*ioc, client->send(get(server.url())), asio::detached);
  EXPECT_TRUE(run_until(*ioc, [&] { return server.accepted() == 2; }, 5s));
  client.reset();
  // Frames of send() end with the io_context; ASan watches.
  EXPECT_EQ(server.ended(), 0);
}

}  // namespace
}  // namespace botburrow::net
