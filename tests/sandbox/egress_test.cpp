// The way out, taken by a real program in a real sandbox.
#include "base/error.hpp"
#include "net/http_server.hpp"
#include "tests/sandbox/sandbox_world.hpp"

#include <fmt/format.h>

namespace botburrow::sandbox {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// A site on this machine, a vendor beside it, and activations that may or may not reach them.
class EgressTest : public ::testing::Test {
 protected:
  EgressTest() {
    site.route("GET", "/hello", [this](net::ServerRequest request) {
      return answer(request, "hello from the site");
    });
    site.route("POST", "/echo",
               [this](net::ServerRequest request) { return answer(request, request.body); });
    site.route("POST", "/v1/messages", 16u << 20, [this](net::ServerRequest request) {
      return answer(request, "{\"said\":" + request.body + "}");
    });
    site.stream("GET", "/v1/models", "text/event-stream",
                [](net::ServerRequest, net::ResponseStream& stream) -> Task<> {
                  for (int event = 0; event < 3; ++event)
                    co_await stream.write(fmt::format("data: {}\n\n", event));
                });
    site.route("POST", "/v1/messages/count_tokens",
               [](net::ServerRequest) -> Task<net::ServerResponse> {
                 auto response = net::ServerResponse::json(429, R"({"slow":"down"})");
                 response.headers.emplace_back("Retry-After", "7");
                 co_return response;
               });
    site.route("GET", "/v1/files", [this](net::ServerRequest request) {
      return answer(request, "what else the key opens");
    });
    site.start();
  }
  ~EgressTest() override {
    for (auto& place : places)
      run(place->close());
    run(site.stop(0s));
  }

  template <class T>
  T run(Task<T> task) {
    return test::run_task(ioc, std::move(task), 60s);
  }
  Task<net::ServerResponse> answer(net::ServerRequest request, std::string body) {
    seen.push_back(std::move(request));
    co_return net::ServerResponse::text(200, std::move(body), "text/plain");
  }
  std::string here(const char* host = "127.0.0.1") {
    return fmt::format("{}:{}", host, site.port());
  }

  /// A place whose commands may reach these hosts; `operators` is EGRESS_PRIVATE_ALLOW.
  Place& place(std::vector<std::string> allowed, std::vector<std::string> operators = {},
               bool enabled = true) {
    SandboxSettings settings{.workspace_root = root.path(), .private_allow = std::move(operators)};
    EgressServices egress{.http = &http};
    egress.models["vendor"] = {.base_url = site.url(),
                               .headers = {{"x-api-key", Secret("the-real-key")}}};
    all.push_back(std::make_unique<Sandboxes>(settings, log, metrics, egress));
    places.push_back(std::make_unique<Place>(
        *all.back(), fmt::format("place-{}", places.size()), log,
        NetworkPolicy{.enabled = enabled, .allowed_hosts = std::move(allowed)}));
    return *places.back();
  }
  static Command line(std::string text) {
    Command command{.argv = {"bash", "-c", std::move(text)},
                    .environment = {"PATH=/usr/bin:/bin", "HOME=/workspace"}};
    // The site has this machine's own address, which programs would not look for behind a proxy.
    for (auto& variable : Place::proxy_environment())
      if (!variable.starts_with("NO_") && !variable.starts_with("no_"))
        command.environment.push_back(std::move(variable));
    return command;
  }
  std::string out_of(Sandbox& sandbox, std::string text) {
    const auto result = run(run_command(sandbox, line(std::move(text)), "", Deadline::in(30s)));
    return result.process.out + result.process.err;
  }
  std::string out_of(Place& place, std::string text) {
    return out_of(*run(place.sandbox()), std::move(text));
  }
  double count(std::string outcome) {
    return metrics
        .counter("botburrow_egress_requests_total",
                 "Connections that sandboxed programs asked for, by outcome.", {"outcome"})
        .with({std::move(outcome)})
        .value();
  }

  TemporaryRoot root;
  boost::asio::io_context ioc;
  Metrics metrics;
  std::shared_ptr<test::LogLines> lines = std::make_shared<test::LogLines>();
  Log log{lines, {.level = LogLevel::debug}};
  net::HttpClient http{ioc.get_executor(), {}};
  net::HttpServer site{ioc.get_executor(), {}, Log::none()};
  std::vector<net::ServerRequest> seen;
  std::vector<std::unique_ptr<Sandboxes>> all;
  std::vector<std::unique_ptr<Place>> places;
};

TEST_F(EgressTest, AHostThatIsListedAndThatTheOperatorAllowsIsReached) {
  auto& ours = place({here()}, {here()});
  EXPECT_EQ(out_of(ours, fmt::format("curl -sS http://{}/hello", here())), "hello from the site");
  EXPECT_EQ(out_of(ours, fmt::format("curl -sS -d 'some words' http://{}/echo", here())),
            "some words");
  // The same through a tunnel, as TLS would go.
  EXPECT_EQ(out_of(ours, fmt::format("curl -sS --proxytunnel http://{}/hello", here())),
            "hello from the site");
  EXPECT_EQ(lines->count("egress_connect", "127.0.0.1"), 3U);
  EXPECT_EQ(count("allowed"), 3);
}

TEST_F(EgressTest, AHostThatIsNotListedIsDeniedAndSaysSo) {
  auto& ours = place({"example.com"}, {here()});
  EXPECT_THAT(out_of(ours, fmt::format("curl -sS http://{}/hello", here())),
              HasSubstr(here() + " is not in network.allowed_hosts of this agent"));
  EXPECT_THAT(out_of(ours, fmt::format("curl -sS --proxytunnel http://{}/hello", here())),
              HasSubstr("403"));
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_EQ(lines->count("egress_denied", "not in network.allowed_hosts"), 2U);
  EXPECT_EQ(count("denied"), 2);
}

TEST_F(EgressTest, AnEmptyListAndASwitchedOffNetworkReachNobody) {
  EXPECT_THAT(out_of(place({}, {here()}), fmt::format("curl -sS http://{}/hello", here())),
              HasSubstr("not in network.allowed_hosts"));
  EXPECT_THAT(
      out_of(place({here()}, {here()}, false), fmt::format("curl -sS http://{}/hello", here())),
      HasSubstr("network.enabled is false"));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(EgressTest, APrivateAddressIsDeniedUnderEveryName) {
  auto& ours = place({here(), here("localhost"), "169.254.169.254:80", "[::1]:80", "10.0.0.1:80"});
  for (const auto& url : {"http://" + here() + "/hello", "http://" + here("localhost") + "/hello",
                          std::string("http://169.254.169.254/latest/meta-data"),
                          std::string("http://[::1]/"), std::string("http://10.0.0.1/")})
    EXPECT_THAT(out_of(ours, "curl -sS -m 20 '" + url + "'"), HasSubstr("which is not public"))
        << url;
  for (const auto& url : {fmt::format("http://127.1:{}/hello", site.port()),
                          fmt::format("http://0x7f000001:{}/hello", site.port()),
                          fmt::format("http://2130706433:{}/hello", site.port()),
                          fmt::format("http://[::ffff:127.0.0.1]:{}/hello", site.port())})
    EXPECT_THAT(out_of(ours, "printf 'GET " + url +
                                 " HTTP/1.1\\r\\n\\r\\n' | "
                                 "(exec 3<>/dev/tcp/127.0.0.1/3128; cat >&3; cat <&3)"),
                HasSubstr("HTTP/1.1 40"))
        << url;
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(EgressTest, OneRequestAConnectionAndNothingBehindIt) {
  auto& ours = place({here()}, {here()});
  const auto request = fmt::format("GET http://{}/hello HTTP/1.1\\r\\n\\r\\n", here());
  const auto answers = out_of(
      ours, fmt::format("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{0}{0}' >&3; cat <&3", request));
  EXPECT_THAT(answers, HasSubstr("hello from the site"));
  EXPECT_EQ(seen.size(), 1U);
}

// Closed with bytes unread, a connection is reset, and the answer is lost with it.
TEST_F(EgressTest, AnAnswerIsReadWholeWhateverWasSentBehindTheRequest) {
  auto& ours = place({here()}, {here()});
  const auto ask = [&](const std::string& host) {
    return out_of(ours, fmt::format("exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET http://{}/hello "
                                    "HTTP/1.1\\r\\n\\r\\n' >&3; head -c 500000 /dev/zero >&3; "
                                    "cat <&3 && echo END",
                                    host));
  };
  EXPECT_THAT(ask(here()), AllOf(HasSubstr("hello from the site"), EndsWith("END\n")));
  EXPECT_THAT(ask("elsewhere.example"), AllOf(StartsWith("HTTP/1.1 403"), EndsWith("END\n")));
}

TEST_F(EgressTest, WhatIsNoRequestIsRefused) {
  auto& ours = place({here()}, {here()});
  const auto speak = [&](const std::string& text) {
    return out_of(ours,
                  fmt::format("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{}' >&3; cat <&3", text));
  };
  EXPECT_THAT(speak("GET / HTTP/1.1\\r\\n\\r\\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(speak("SSH-2.0-x\\r\\n\\r\\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(
      out_of(ours, "exec 3<>/dev/tcp/127.0.0.1/3128; head -c 100000 /dev/zero >&3; cat <&3"),
      Not(HasSubstr("200")));
  EXPECT_EQ(out_of(ours, "echo fine"), "fine\n");
}

TEST_F(EgressTest, AThousandConnectionsHoldNobodyUp) {
  auto& ours = place({here()}, {here()});
  EXPECT_THAT(out_of(ours,
                     "for i in $(seq 300); do exec {fd}<>/dev/tcp/127.0.0.1/3128 || break; done; "
                     "echo opened"),
              HasSubstr("opened"));
  EXPECT_EQ(out_of(ours, fmt::format("curl -sS http://{}/hello", here())), "hello from the site");
}

TEST_F(EgressTest, StoppingClosesWhatIsOpen) {
  auto& ours = place({here()}, {here()});
  const auto box = run(ours.sandbox());
  run([&]() -> Task<> {
    const auto process = co_await box->spawn(
        line("exec 3<>/dev/tcp/127.0.0.1/3128; echo open; cat <&3"), Deadline::in(60s));
    EXPECT_EQ(co_await process->read_stdout(100), "open\n");
    co_await ours.close();
    EXPECT_EQ(process->cut(), Cut::gone);
  }());
}

TEST_F(EgressTest, AModelIsReachedWithoutItsKeyInside) {
  auto& ours = place({});
  const auto cli = run(ours.extra_sandbox({.models = {"vendor"}}));
  const auto url = std::string("http://127.0.0.1:3128/_/llm/vendor/v1");
  EXPECT_EQ(out_of(*cli,
                   "curl -sS -H 'x-api-key: placeholder' -H 'Authorization: Bearer x' "
                   "-H 'anthropic-version: 2023-06-01' -d '\"hi\"' " +
                       url + "/messages"),
            R"({"said":"hi"})");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].header("x-api-key"), "the-real-key");
  EXPECT_EQ(seen[0].header("authorization"), std::nullopt);
  EXPECT_EQ(seen[0].header("anthropic-version"), "2023-06-01");

  EXPECT_EQ(out_of(*cli, "curl -sSN " + url + "/models?limit=3"),
            "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  EXPECT_THAT(out_of(*cli, "curl -sSi -d x " + url + "/messages/count_tokens"),
              AllOf(StartsWith("HTTP/1.1 429"), HasSubstr("retry-after: 7"),
                    HasSubstr(R"({"slow":"down"})")));
  EXPECT_EQ(out_of(*cli,
                   "head -c 40000 /dev/zero | tr '\\0' 1 | curl -sS -H 'Transfer-Encoding: "
                   "chunked' -H 'Expect:' --data-binary @- " +
                       url + "/messages | wc -c"),
            "40009\n");
  EXPECT_THAT(lines->all(), Not(HasSubstr("the-real-key")));
}

TEST_F(EgressTest, TheKeyOfAModelOpensNothingElse) {
  auto& ours = place({});
  const auto cli = run(ours.extra_sandbox({.models = {"vendor"}}));
  for (const auto* call :
       {"/v1/files", "/v1/messages/../files", "/v1/messages/%2e%2e/files", "/../v1/files",
        "/v1/models/../files", "//v1/files", "/v1/models/", "?x=/v1/models", "/v1/models#/../files",
        "-X DELETE /v1/models", "-X PUT /v1/messages", "/v1/messages"}) {
    // Curl would tidy up a path.
    const std::string_view text = call;
    const auto path = text.substr(text.find_first_of("/?"));
    const std::string_view method =
        text.starts_with("-X ") ? text.substr(3, text.find(' ', 3) - 3) : "GET";
    EXPECT_THAT(
        out_of(*cli,
               fmt::format("exec 3<>/dev/tcp/127.0.0.1/3128; printf '%s %s HTTP/1.1\\r\\n"
                           "Content-Length: 0\\r\\n\\r\\n' '{}' '/_/llm/vendor{}' >&3; cat <&3",
                           method, path)),
        AllOf(StartsWith("HTTP/1.1 403"), HasSubstr("is no call of this model")))
        << call;
  }
  EXPECT_THAT(seen, IsEmpty());
  EXPECT_EQ(lines->count("egress_denied", "model:vendor"), 12U);
}

TEST_F(EgressTest, ManyRefusalsDoNotHideWhatWasAllowed) {
  auto& ours = place({here()}, {here()});
  out_of(ours,
         "for i in $(seq 210); do exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET http://10.0.0.1/ "
         "HTTP/1.1\\r\\n\\r\\n' >&3; cat <&3; done");
  EXPECT_EQ(count("denied"), 210);
  EXPECT_EQ(lines->count("egress_denied", "10.0.0.1"), 200U);
  EXPECT_EQ(lines->count("egress_denied", "more refusals"), 1U);
  EXPECT_EQ(out_of(ours, fmt::format("curl -sS http://{}/hello", here())), "hello from the site");
  EXPECT_EQ(lines->count("egress_connect", "127.0.0.1"), 1U);
}

TEST_F(EgressTest, WhatASandboxHoldsInTheRunnersMemoryIsBounded) {
  auto& ours = place({});
  const auto cli = run(ours.extra_sandbox({.models = {"vendor"}}));
  // Four bodies of 20 MiB that never come: the last of them has no room.
  EXPECT_THAT(out_of(*cli,
                     "for i in 1 2 3 4; do (exec 3<>/dev/tcp/127.0.0.1/3128; printf 'POST "
                     "/_/llm/vendor/v1/messages HTTP/1.1\\r\\nContent-Length: 20971520\\r\\n\\r\\n"
                     "x' >&3; cat <&3) & done; wait -n"),
              AllOf(StartsWith("HTTP/1.1 413"), HasSubstr("too many requests under way")));
  // Whoever has gone holds nothing any more.
  EXPECT_EQ(out_of(*cli,
                   "head -c 8000000 /dev/zero | tr '\\0' 1 | curl -sS -H 'Expect:' --data-binary "
                   "@- http://127.0.0.1:3128/_/llm/vendor/v1/messages | wc -c"),
            "8000009\n");
}

TEST_F(EgressTest, CommandsOfAnAgentReachNoModel) {
  auto& ours = place({});
  EXPECT_THAT(out_of(ours, "curl -sSi http://127.0.0.1:3128/_/llm/vendor/v1/messages"),
              StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(EgressTest, TheRunnerServesWhatItIsAskedTo) {
  auto& ours = place({});
  const auto cli = run(ours.extra_sandbox({.local = [](LocalRequest request) -> Task<LocalAnswer> {
    co_return LocalAnswer{.status = 200,
                          .content_type = "text/plain",
                          .body = request.method + " " + request.path + " " + request.body};
  }}));
  EXPECT_EQ(out_of(*cli, "curl -sS -d body http://127.0.0.1:3128/_/mcp/hub"),
            "POST /_/mcp/hub body");
  // Through the proxy to the proxy.
  EXPECT_EQ(out_of(*cli,
                   "curl -sS --noproxy '' -x http://127.0.0.1:3128 "
                   "http://127.0.0.1:3128/_/mcp/hub"),
            "GET /_/mcp/hub ");
}

TEST_F(EgressTest, AVendorThatIsAwayIsA502) {
  auto& ours = place({});
  run(site.stop(0s));
  const auto cli = run(ours.extra_sandbox({.models = {"vendor"}}));
  EXPECT_THAT(out_of(*cli, "curl -sSi -d x http://127.0.0.1:3128/_/llm/vendor/v1/messages"),
              StartsWith("HTTP/1.1 502"));
}

}  // namespace
}  // namespace botburrow::sandbox
