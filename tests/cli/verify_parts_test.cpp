// What `verify --local` puts between services, and how it looks for secrets.
#include "base/error.hpp"
#include "cli/verify/secret_search.hpp"
#include "cli/verify/wire.hpp"
#include "net/http_client.hpp"
#include "net/http_server.hpp"
#include "run_program.hpp"
#include "tests/net/raw_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace botburrow::cli::verify {
namespace {

using namespace std::chrono_literals;
using test::run_task;
using test::run_until;
using testing::HasSubstr;
using testing::StartsWith;

class VerifyWire : public testing::Test {
 protected:
  VerifyWire() {
    behind.server.route("POST", "/comments",
                        [this](net::ServerRequest request) -> Task<net::ServerResponse> {
                          ++taken;
                          co_return net::ServerResponse::text(201, request.body, "text/plain");
                        });
    behind.server.start();
    wire.start();
    wire.lead("", behind.server.url());
    wire.lead("hub.invalid", behind.server.url());
  }
  ~VerifyWire() override { run_task(ioc, wire.stop()); }

  net::HttpResponse post(std::string body) {
    return run_task(
        ioc,
        http.send({.method = "POST", .url = wire.url() + "/comments", .body = std::move(body)}));
  }
  std::string raw(const std::string& text) {
    const int port = std::stoi(net::parse_url(wire.url()).port);
    return run_task(ioc, net::ask_raw(net::connect_raw(ioc, port), text));
  }

  boost::asio::io_context ioc;
  net::TestServer behind{ioc};
  int taken = 0;
  Wire wire{ioc.get_executor()};
  net::HttpClient http{ioc.get_executor(), {}};
};

TEST_F(VerifyWire, PassesRequestsWholeAndCountsThem) {
  const std::string body(50'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const auto answer = post(body);
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, body);
  }
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(wire.count([](const auto& request) { return request.target == "/comments"; }), 3u);
}

TEST_F(VerifyWire, LosesTheAnswerToWhatWasAccepted) {
  wire.decide([](const Wire::Request&) { return Wire::Fate::lose_answer; });
  EXPECT_THROW(post("x"), Error);
  EXPECT_EQ(taken, 1) << "it was accepted";
  EXPECT_EQ(wire.lost(), 1u);
  wire.decide({});
  EXPECT_EQ(post("x").status, 201);
}

TEST_F(VerifyWire, RefusesWithoutPassingOn) {
  wire.decide([](const Wire::Request&) { return Wire::Fate::not_there; });
  EXPECT_EQ(post("x").status, 404);
  EXPECT_EQ(taken, 0);
}

TEST_F(VerifyWire, IsAProxyForTheHostsThatItKnows) {
  EXPECT_THAT(raw("POST http://hub.invalid/comments HTTP/1.1\r\nHost: hub.invalid\r\n"
                  "Content-Length: 2\r\n\r\nhi"),
              StartsWith("HTTP/1.1 201"));
  EXPECT_EQ(wire.of_host("hub.invalid"), 1u);
  EXPECT_THAT(raw("GET http://github.invalid/mcp HTTP/1.1\r\nHost: github.invalid\r\n\r\n"),
              StartsWith("HTTP/1.1 502"));
  EXPECT_THAT(raw("CONNECT api.github.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
              StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(wire.of_host("github.invalid"), 1u);
  EXPECT_EQ(wire.of_host("api.github.invalid"), 1u);
}

/// A program of this test with this environment, gone with the object.
class Program {
 public:
  explicit Program(std::string variable) {
    std::string words[] = {"/bin/sleep", "60"};
    char* argv[] = {words[0].data(), words[1].data(), nullptr};
    char* environment[] = {variable.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, "/bin/sleep", nullptr, nullptr, argv, environment), 0);
  }
  ~Program() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  int pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(VerifySecrets, AProgramThatWasGivenOneIsFoundOnce) {
  const Program clean("A=b"), told("TOKEN=secret-of-the-test");
  std::set<int> seen;
  SecretSearch search;
  boost::asio::io_context ioc;
  ASSERT_TRUE(run_until(
      ioc,
      [&] {
        look_at_programs({::getpid()}, {"secret-of-the-test"}, seen, search);
        return seen.contains(clean.pid()) && seen.contains(told.pid());
      },
      10s));
  EXPECT_THAT(search.found, HasSubstr(std::to_string(told.pid())));
  EXPECT_THAT(search.found, HasSubstr("/bin/sleep"));
  const auto places = search.places;
  look_at_programs({::getpid()}, {"secret-of-the-test"}, seen, search);
  EXPECT_EQ(search.places, places);
  // A service itself holds what it needs.
  std::set<int> others;
  SecretSearch none;
  look_at_programs({told.pid()}, {"secret-of-the-test"}, others, none);
  EXPECT_EQ(none.found, "");
}

TEST(VerifySecrets, AFileAnywhereBelowIsFound) {
  const ScratchFolder folder;
  std::filesystem::create_directories(folder.path() + "/a/b");
  std::ofstream(folder.path() + "/a/clean") << "nothing";
  SecretSearch search;
  look_at_files(folder.path(), {"hidden-key"}, search);
  EXPECT_EQ(search.found, "");
  EXPECT_EQ(search.places, 1u);
  std::ofstream(folder.path() + "/a/b/told") << "x hidden-key y";
  look_at_files(folder.path(), {"hidden-key"}, search);
  EXPECT_THAT(search.found, HasSubstr("/a/b/told"));
}

}  // namespace
}  // namespace botburrow::cli::verify
