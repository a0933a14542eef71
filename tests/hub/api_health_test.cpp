#include "tests/hub/hub_harness.hpp"

#include <fstream>

namespace botburrow::hub::test {
namespace {

TEST(ApiHealth, AFreshHubAnswersEveryProbe) {
  HubHarness hub;
  hub.run(hub.server->until_ready());
  EXPECT_EQ(hub.get("!/health", "").str("status"), "ok");
  EXPECT_EQ(hub.get("!/ready", "").str("status"), "ready");
  const Answer health = hub.get("/health", "any key at all");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(string_field(health.at("checks"), "database"), "ok");
  EXPECT_EQ(health.str("service"), "botburrow-hub");
  EXPECT_EQ(hub.get("/agents/health", "").str("service"), "botburrow-hub-agents");
  for (const char* path : {"!/health", "!/api/v1/health", "!/"}) {
    const Answer head = hub.call("HEAD", path, "");
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_EQ(head.text, "") << path;
  }
}

TEST(ApiHealth, TheFrontPageIsHtmlForBrowsersAndJsonForOthers) {
  HubHarness hub;
  const Answer json = hub.get("!/", "", {{"Accept", "application/json"}});
  EXPECT_EQ(json.str("api"), "/api/v1");
  const Answer html = hub.get("!/", "", {{"Accept", "text/html,*/*"}});
  EXPECT_EQ(html.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(html.header("cache-control"), "no-store");
  EXPECT_EQ(html.header("x-content-type-options"), "nosniff");
  EXPECT_NE(html.header("content-security-policy").find("script-src 'self'"), std::string::npos);
  EXPECT_EQ(html.header("content-security-policy").find("unsafe"), std::string::npos);
  EXPECT_EQ(hub.get("!/no-such-file.js", "").status, 404);
}

TEST(ApiHealth, WithoutItsDatabaseTheHubLivesAndSaysSoAndRecovers) {
  const auto blocker =
      std::filesystem::temp_directory_path() / ("bb-blocker-" + system_random().uuid4());
  std::ofstream(blocker) << "a file where a folder must be";
  HubOptions options = quiet_options();
  options.database_path = (blocker / "hub.db").string();
  HubHarness hub(options);
  ASSERT_TRUE(botburrow::test::run_until(hub.ioc, [&] {
    return hub.get("!/ready", "").str("reason") != "the database is not open yet";
  }));

  EXPECT_EQ(hub.get("!/health", "").status, 200);
  EXPECT_EQ(hub.get("!/", "").status, 200);
  EXPECT_EQ(hub.get("!/ready", "").status, 503);
  EXPECT_EQ(hub.get("/health", "").status, 503);
  const Answer refused = hub.get("/posts", "any");
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.header("retry-after").empty());

  std::filesystem::remove(blocker);
  botburrow::test::run_task(hub.ioc, hub.server->until_ready(), std::chrono::seconds(10));
  EXPECT_EQ(hub.get("!/ready", "").status, 200);
  hub.stop();
  std::filesystem::remove_all(blocker);
}

TEST(ApiHealth, AFileThatIsNoDatabaseIsASettingsError) {
  const auto file = std::filesystem::temp_directory_path() / ("bb-nodb-" + system_random().uuid4());
  std::ofstream(file) << std::string(8192, 'x');
  HubOptions options = quiet_options();
  options.database_path = file.string();
  HubHarness hub(options);
  try {
    hub.run(hub.server->until_ready());
    ADD_FAILURE() << "opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::bad_settings) << error.message();
  }
  EXPECT_EQ(hub.get("!/health", "").status, 200);
  std::filesystem::remove(file);
}

TEST(ApiHealth, MetricsNameRouteTemplates) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  const std::string post = hub.new_post(key, "hello");
  hub.get("/posts/" + post, key);
  hub.get("/posts/" + post, "wrong");
  const std::string text = hub.get("!/metrics", "").text;
  EXPECT_NE(
      text.find(R"(http_requests_total{method="GET",endpoint="/api/v1/posts/:id",status="200"} 1)"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(auth_attempts_total{success="false"} 1)"), std::string::npos);
  EXPECT_NE(text.find("hub_db_up 1"), std::string::npos);
  EXPECT_NE(text.find(R"(agent_posts_total{type="post"} 1)"), std::string::npos);
  EXPECT_NE(text.find("http_request_duration_seconds_bucket"), std::string::npos);
  EXPECT_EQ(text.find(post), std::string::npos) << "no raw paths";
}

TEST(ApiHealth, UnknownPathsAndMethodsHaveTheCommonErrorBody) {
  HubHarness hub;
  const Answer unknown = hub.get("/no/such/thing", "");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.at("success"), json::value(false));
  EXPECT_FALSE(unknown.str("request_id").empty());
  const Answer method = hub.call("PUT", "/posts", "");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.at("success"), json::value(false));
}

TEST(ApiHealth, OnlyListedOriginsMayCallFromAPage) {
  HubOptions options = quiet_options();
  options.cors_origins = {"https://hub.example.org"};
  HubHarness hub(options);
  const Answer allowed =
      hub.call("OPTIONS", "/posts", "", "", {{"Origin", "https://hub.example.org"}});
  EXPECT_EQ(allowed.status, 204);
  EXPECT_EQ(allowed.header("access-control-allow-origin"), "https://hub.example.org");
  const Answer other = hub.call("OPTIONS", "/posts", "", "", {{"Origin", "https://evil.example"}});
  EXPECT_EQ(other.header("access-control-allow-origin"), "");
}

}  // namespace
}  // namespace botburrow::hub::test
