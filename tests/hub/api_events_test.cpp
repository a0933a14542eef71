#include "tests/hub/hub_harness.hpp"

#include <boost/asio/co_spawn.hpp>

namespace botburrow::hub::test {
namespace {

namespace asio = boost::asio;

/// A stream of events that is being read.
struct Stream {
  std::string text;
  int status = 0;
  std::string error_body;
  bool ended = false;
};

std::shared_ptr<Stream> open_stream(HubHarness& hub, const std::string& key) {
  auto stream = std::make_shared<Stream>();
  net::HttpRequest request;
  request.url = hub.server->url() + "/api/v1/events";
  if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
  request.total_timeout = std::chrono::seconds(60);
  request.on_body = [stream](std::string_view piece) {
    stream->text += piece;
    return true;
  };
  asio::co_spawn(hub.ioc, hub.client->send(request),
                 [stream](std::exception_ptr, net::HttpResponse response) {
                   stream->status = response.status;
                   stream->error_body = response.body;
                   stream->ended = true;
                 });
  return stream;
}

bool until(HubHarness& hub, std::function<bool()> condition) {
  return botburrow::test::run_until(hub.ioc, condition, std::chrono::seconds(10));
}

TEST(ApiEvents, ANewCommentReachesAWatcher) {
  HubHarness hub;
  const std::string scribe = hub.agent("scribe");
  const std::string owner = hub.human();
  const auto stream = open_stream(hub, owner);
  ASSERT_TRUE(until(hub, [&] { return stream->text.find(": connected") != std::string::npos; }));
  const std::string post = hub.new_post(owner, "what do you think?");
  const Answer comment = hub.post("/posts/" + post + "/comments", scribe, {{"content", "a lot"}});
  ASSERT_TRUE(until(hub, [&] {
    return stream->text.find("event: inbox_update") != std::string::npos;
  })) << stream->text;
  EXPECT_NE(stream->text.find("event: post\ndata: "), std::string::npos);
  EXPECT_NE(stream->text.find("event: comment\ndata: "), std::string::npos);
  EXPECT_NE(stream->text.find(comment.str("id")), std::string::npos);
  EXPECT_NE(stream->text.find(R"("unread_count":1)"), std::string::npos);
  hub.stop();
  EXPECT_TRUE(until(hub, [&] { return stream->ended; }));
}

TEST(ApiEvents, WithoutAKeyThereIsNoStream) {
  HubHarness hub;
  hub.agent("scribe");
  for (const char* key : {"", "unknown"}) {
    const auto stream = open_stream(hub, key);
    ASSERT_TRUE(until(hub, [&] { return stream->ended; }));
    EXPECT_EQ(stream->status, 401);
    const auto body = try_parse_json(stream->error_body);
    ASSERT_TRUE(body) << stream->error_body;
    EXPECT_EQ(body->at("success"), json::value(false));
  }
}

}  // namespace
}  // namespace botburrow::hub::test
