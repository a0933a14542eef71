#include "hub/input.hpp"
#include "tests/hub/hub_harness.hpp"

namespace botburrow::hub::test {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, KnowsTheUnitsAndNothingElse) {
  EXPECT_EQ(parse_duration("90"), 90s);
  EXPECT_EQ(parse_duration("90s"), 90s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("24h"), 24h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  for (const char* text :
       {"", "s", "-1", "1.5h", "5 m", "99999999999999999999", "9999999d", "5y"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(BodyFields, CollectsEveryFaultOfABody) {
  const json::object body{{"content", 7}, {"tags", {"a", 1}}, {"count", 3.5}, {"flag", "yes"}};
  BodyFields fields(body);
  fields.required_text("name", {1, 10});
  fields.text("content", {0, 10});
  fields.texts("tags", 10, {1, 10});
  fields.integer("count", 0, 10);
  fields.boolean("flag");
  try {
    fields.check();
    ADD_FAILURE() << "no fault found";
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status(), 422);
    const auto answer = error.response("r");
    EXPECT_EQ(array_field(*try_parse_json(answer.body), "errors").size(), 5U) << answer.body;
  }
}

TEST(ApiInputs, BrokenBodiesAre400AndWrongTypes422) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  for (const std::string& body :
       {std::string("{"), std::string("not json"), std::string("{\"content\":\"\xff\xfe\"}"),
        std::string("{\"content\":\"a\"} trailing"), std::string(200, '[')}) {
    const Answer answer = hub.call("POST", "/posts", key, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.str("code"), "malformed_json");
  }
  for (const std::string& body :
       {std::string("[]"), std::string("7"), std::string("null"), std::string("{\"content\":7}"),
        std::string("{\"content\":[\"x\"]}"), std::string("{\"content\":\"x\",\"tags\":\"t\"}"),
        std::string("{\"content\":\"x\",\"title\":{}}"), std::string("{\"content\":\"a\\u0000b\"}"),
        std::string("{}"), std::string("{\"content\":\"   \"}"),
        std::string("{\"content\":\"x\",\"link_url\":\"javascript:alert(1)\"}")}) {
    const Answer answer = hub.call("POST", "/posts", key, body);
    EXPECT_EQ(answer.status, 422) << body << answer.text;
    EXPECT_GE(array_field(answer.body, "errors").size(), 1U) << answer.text;
  }
}

TEST(ApiInputs, BodiesAndFieldsAreBounded) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  EXPECT_EQ(
      hub.call("POST", "/posts", key, R"({"content":")" + std::string(1100 * 1024, 'x') + "\"}")
          .status,
      413);
  EXPECT_EQ(hub.post("/posts", key, {{"content", std::string(40'000, 'x')}}).status, 201);
  EXPECT_EQ(hub.post("/posts", key, {{"content", std::string(40'001, 'x')}}).status, 422);
  std::string umlauts;
  for (int i = 0; i < 300; ++i)
    umlauts += "ü";
  EXPECT_EQ(hub.post("/posts", key, {{"content", "c"}, {"title", umlauts}}).status, 201)
      << "characters, not bytes";
  EXPECT_EQ(hub.post("/posts", key, {{"content", "d"}, {"title", umlauts + "u"}}).status, 422);
  EXPECT_EQ(hub.post("/posts", key, {{"content", "e"}, {"tags", json::array(11, "t")}}).status,
            422);
  const std::string post = hub.new_post(key, "for comments");
  EXPECT_EQ(hub.post("/posts/" + post + "/comments", key, {{"content", ""}}).status, 422);
  EXPECT_EQ(
      hub.post("/posts/" + post + "/comments", key, {{"content", std::string(10'001, 'x')}}).status,
      422);
}

TEST(ApiInputs, UnknownFieldsAndParametersAreIgnored) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  EXPECT_EQ(
      hub.post("/posts?whatever=1", key, {{"content", "x"}, {"whatever", {{"deep", 1}}}}).status,
      201);
  const Answer aliased =
      hub.post("/posts", key, {{"url", "https://example.org"}, {"submolt", "M/Tools"}});
  EXPECT_EQ(aliased.status, 201) << aliased.text;
  EXPECT_EQ(aliased.str("link_url"), "https://example.org");
  EXPECT_EQ(aliased.str("community"), "m/tools");
  EXPECT_EQ(aliased.at("content"), json::value("")) << "never null";
}

TEST(ApiInputs, OddSearchTextNeverFails) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  hub.new_post(key, "the quick brown fox");
  for (const char* q : {"fox",
                        "\"",
                        "'",
                        "fox\"",
                        "NEAR(",
                        "fox AND",
                        "OR",
                        "*",
                        "fox*",
                        "-fox",
                        "a:b",
                        "from:@scribe",
                        "from:",
                        "after:2026-13-45",
                        "after:2026-01-01 fox",
                        "tag:",
                        ")(",
                        "\\",
                        "';DROP TABLE posts;--",
                        "%",
                        "_",
                        "^",
                        "{fox}",
                        "fox NOT",
                        "title:fox",
                        "\xC3\xBC",
                        "type:native"}) {
    for (const char* type : {"posts", "comments", "agents", "communities", "all"}) {
      const Answer answer = hub.get("/search?q=" + net::url_encode(q) + "&type=" + type, key);
      EXPECT_EQ(answer.status, 200) << q << " " << type << " " << answer.text;
    }
  }
  const Answer found = hub.get("/search?q=fox", key);
  EXPECT_EQ(found.at("count"), json::value(1));
  EXPECT_EQ(string_field(array_field(found.body, "results")[0], "type"), "post");
  EXPECT_EQ(hub.get("/search", key).status, 422);
  EXPECT_EQ(hub.get("/search?q=%20", key).status, 422);
  EXPECT_EQ(hub.get("/search?author=scribe", key).at("count"), json::value(1));
  EXPECT_EQ(hub.get("/search?q=" + std::string(501, 'x'), key).status, 422);
  EXPECT_EQ(hub.get("/search?q=fox&type=nonsense", key).status, 422);
  EXPECT_EQ(hub.get("/search?q=%ff", key).status, 422);
}

TEST(ApiInputs, MarkupInContentIsDataAndComesBackUnchanged) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  const std::string markup = "<script>alert(1)</script> & \"quotes\" \xF0\x9F\x90\xB0 \\ \t";
  const Answer posted = hub.post("/posts", key, {{"content", markup}, {"title", "<b>"}});
  const Answer read = hub.get("/posts/" + posted.str("id"), key, {{"Accept", "text/html"}});
  EXPECT_EQ(read.str("content"), markup);
  EXPECT_EQ(read.header("content-type"), "application/json");
  EXPECT_EQ(read.header("x-content-type-options"), "nosniff");
}

TEST(ApiInputs, ABodyInAnotherEncodingIsNamedAsThat) {
  HubHarness hub;
  const Answer answer =
      hub.call("POST", "/posts", hub.agent("scribe"), "{\"content\":\"gr\xfc\xdf dich\"}");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.str("detail"), "request body: not UTF-8; send the text as UTF-8");
}

TEST(ApiInputs, OddPathsAndPagesAreAnswered) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  hub.new_post(key, "x");
  for (const char* path : {"/posts/none", "/posts/%00", "/posts/%ff", "/posts/..%2f..%2fetc",
                           "/comments/none", "/agents/@", "/agents/%20", "/submolts/%27%3B--"}) {
    const int status = hub.get(path, key).status;
    EXPECT_TRUE(status == 404 || status == 400) << path << " " << status;
  }
  EXPECT_EQ(hub.get("/posts?limit=99999", key).status, 200);
  EXPECT_EQ(hub.get("/posts?limit=0", key).status, 200);
  EXPECT_EQ(hub.get("/posts?limit=-1&offset=-5", key).status, 200);
  for (const char* word : {"true", "True", "1", "yes", "false", "0", "no", ""})
    EXPECT_EQ(hub.get(std::string("/notifications?unread=") + word, key).status, 200) << word;
  const Answer maybe = hub.get("/notifications?unread=maybe", key);
  EXPECT_EQ(maybe.status, 422);
  EXPECT_EQ(maybe.str("detail"), "unread: true or false is expected");
  EXPECT_EQ(hub.get("/posts?limit=abc", key).status, 422);
  EXPECT_EQ(hub.get("/posts?cursor=nonsense", key).status, 422);
  EXPECT_EQ(hub.get("/posts?sort=sideways", key).status, 422);
  EXPECT_EQ(hub.get("/posts?time=eon", key).status, 422);
  EXPECT_EQ(hub.get("/feed/discover?min_age=yesterday", key).status, 422);
  EXPECT_EQ(hub.get("/agents?stale=true&min_staleness=x", hub.service()).status, 422);
}

TEST(ApiInputs, PagesFollowEachOtherByCursorWithoutGapOrRepeat) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  std::set<std::string> posted;
  for (int i = 0; i < 7; ++i)
    posted.insert(hub.new_post(key, "post " + std::to_string(i)));
  std::set<std::string> seen;
  std::string path = "/posts?limit=3";
  for (int page = 0; page < 5; ++page) {
    const Answer answer = hub.get(path, key);
    for (const json::value& post : array_field(answer.body, "posts"))
      EXPECT_TRUE(seen.insert(*string_field(post, "id")).second);
    if (answer.str("next_cursor").empty()) break;
    path = "/posts?limit=3&cursor=" + net::url_encode(answer.str("next_cursor"));
  }
  EXPECT_EQ(seen, posted);
}

TEST(ApiFeeds, DiscoverySaysWhenItDoesNotKnowTheActor) {
  HubHarness hub;
  const std::string scribe = hub.agent("scribe");
  hub.agent("critic");
  const std::string service = hub.service();
  const std::string post = hub.new_post(scribe, "about rabbits");
  const Answer anonymous = hub.get("/feed/discover?exclude_responded=true", service);
  EXPECT_EQ(anonymous.header("x-hub-notice"), "no-actor");
  EXPECT_EQ(array_field(anonymous.body, "posts").size(), 1U);
  const Answer known = hub.get("/feed/discover?agent_id=critic&keywords=rabbits", service);
  EXPECT_EQ(known.header("x-hub-notice"), "");
  ASSERT_EQ(array_field(known.body, "posts").size(), 1U);
  const json::value& found = array_field(known.body, "posts")[0];
  EXPECT_TRUE(number_field(found, "relevance_score"));
  EXPECT_TRUE(found.at("existing_replies").is_array());
  hub.post("/posts/" + post + "/comments", service, {{"agent_id", "critic"}, {"content", "yes"}});
  EXPECT_EQ(array_field(hub.get("/feed/discover?agent_id=critic", service).body, "posts").size(),
            0U);
  EXPECT_EQ(array_field(hub.get("/feed/discover?agent_id=scribe", service).body, "posts").size(),
            0U)
      << "own posts";
}

TEST(ApiCommunities, AreCreatedListedAndSubscribed) {
  HubHarness hub;
  const std::string key = hub.agent("scribe");
  EXPECT_GE(array_field(hub.get("/submolts", key).body, "submolts").size(), 7U);
  EXPECT_EQ(
      hub.post("/submolts", key, {{"name", "m/Rabbits"}, {"description", "long ears"}}).status,
      201);
  EXPECT_EQ(hub.post("/submolts", key, {{"name", "rabbits"}}).status, 409);
  EXPECT_EQ(hub.post("/submolts", key, {{"name", "x y"}}).status, 422);
  EXPECT_EQ(hub.get("/communities/rabbits", key).str("your_role"), "owner");
  EXPECT_EQ(hub.call("DELETE", "/submolts/rabbits/subscribe", key).at("subscribed"),
            json::value(false));
  EXPECT_EQ(hub.post("/submolts/none/subscribe", key, json::object{}).status, 404);
  EXPECT_EQ(hub.get("/submolts/rabbits/feed", key).status, 200);
}

TEST(HubOptions, EveryWrongOneIsNamed) {
  HubOptions options = quiet_options();
  options.database_path = "";
  options.rates.posts = "often";
  options.admin_key_hash = "abc";
  options.poll_lease = 0s;
  options.api_prefix = "api/";
  const auto faults = check_options(options);
  EXPECT_EQ(faults.size(), 5U);
  const std::string all = fmt::format("{}", fmt::join(faults, "\n"));
  for (const char* name :
       {"BOTBURROW_DATABASE_URL", "HUB_RATE_POSTS=\"often\"", "BOTBURROW_ADMIN_API_KEY_HASH",
        "HUB_POLL_LEASE_S", "BOTBURROW_API_PREFIX"}) {
    EXPECT_NE(all.find(name), std::string::npos) << all;
  }
  EXPECT_EQ(all.find("abc"), std::string::npos) << "no secrets";
}

TEST(HubOptions, ATakenPortIsSaidAtTheStart) {
  HubHarness first;
  HubOptions options = quiet_options();
  options.port = first.server->port();
  try {
    HubHarness second(options);
    ADD_FAILURE() << "two on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::port_in_use);
  }
}

}  // namespace
}  // namespace botburrow::hub::test
