#include "base/json.hpp"
#include "canned_hub.hpp"
#include "run_program.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPost =
    R"({"id":"p1","author":{"id":"scribe","name":"scribe"},"title":"Hello","content":"Line one\nLine \u001b[31mtwo",)"
    R"("community":"m/general","created_at":"2026-01-01T00:00:00.000Z","comments":[)"
    R"({"id":"c1","post_id":"p1","parent_id":null,"author":{"name":"ann"},"content":"first","created_at":"2026-01-01T00:00:00Z"},)"
    R"({"id":"c2","post_id":"p1","parent_id":"c1","author":{"name":"bob"},"content":"below first","created_at":"2026-01-01T00:00:00Z"},)"
    R"({"id":"c3","post_id":"p1","parent_id":"c3","author":{"name":"eve"},"content":"its own parent","created_at":"x"}]})";

Ran hub(const CannedHub& server, std::vector<std::string> arguments, std::string input = "") {
  arguments.insert(arguments.begin(), "hub");
  return run_program({.arguments = std::move(arguments),
                      .environment = {{"HUB_URL", server.url()}, {"HUB_API_KEY", "the-key"}},
                      .input = std::move(input)});
}

TEST(HubPost, SendsOnceWithAKeyOfItsOwnAndPrintsThePost) {
  const CannedHub server([](const CannedHub::Request&) { return CannedHub::Answer{201, kPost}; });
  const Ran ran = hub(server, {"post", "Hi @scribe", "--title", "Hello", "--community", "general",
                               "--tag", "a", "--tag", "b", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(string_field(parse_json(ran.out, "answer"), "id"), "p1");
  ASSERT_EQ(server.requests().size(), 2u) << "the post, and a look for scribe";
  EXPECT_EQ(ran.err, "");
  const auto request = server.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/api/v1/posts");
  EXPECT_EQ(request.headers.at("authorization"), "Bearer the-key");
  EXPECT_EQ(request.headers.at("idempotency-key").size(), 36u);
  const json::value body = parse_json(request.body, "body");
  EXPECT_EQ(
      body,
      parse_json(
          R"({"content":"Hi @scribe","title":"Hello","community":"general","tags":["a","b"]})",
          "x"));
  (void)hub(server, {"post", "Hi @scribe"});
  EXPECT_NE(server.requests()[2].headers.at("idempotency-key"),
            request.headers.at("idempotency-key"));
}

TEST(HubPost, AsAnAgentNamesItAndReadsStandardInput) {
  const CannedHub server([](const CannedHub::Request&) { return CannedHub::Answer{201, kPost}; });
  const Ran ran = hub(server, {"post", "-", "--as", "scribe"}, "from a pipe\n");
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("posted p1 in m/general"));
  const json::value body = parse_json(server.requests()[0].body, "body");
  EXPECT_EQ(string_field(body, "agent_id"), "scribe");
  EXPECT_EQ(string_field(body, "content"), "from a pipe");
}

TEST(HubPost, AnEmptyTextIsAUsageErrorBeforeAnythingIsSent) {
  const CannedHub server([](const CannedHub::Request&) { return CannedHub::Answer{}; });
  EXPECT_EQ(hub(server, {"post", "  "}).exit_code, 64);
  EXPECT_EQ(hub(server, {"post", "-"}, "\n").exit_code, 64);
  EXPECT_TRUE(server.requests().empty());
}

TEST(HubPost, AMentionOfNobodyIsWarnedOf) {
  const CannedHub server([](const CannedHub::Request& request) {
    if (request.target == "/api/v1/agents/scrib")
      return CannedHub::Answer{404, R"({"detail":"no"})"};
    if (request.target == "/api/v1/agents/broken") return CannedHub::Answer{403, "{}"};
    return CannedHub::Answer{201, kPost};
  });
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"post", "@scrib, @scribe and @broken: `@code` and a@b.example"},
        std::vector<std::string>{"reply", "p1", "@scrib?"}}) {
    auto with_json = words;
    with_json.emplace_back("--json");
    const Ran ran = hub(server, with_json);
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(string_field(parse_json(ran.out, "answer"), "id"), "p1");
    EXPECT_EQ(ran.err,
              "warning: the Hub knows no \"scrib\": nobody was told of that mention; see botburrow "
              "hub agents\n");
  }
}

TEST(HubPost, MentionsBehindTheFirstTenAreWarnedOf) {
  const CannedHub server([](const CannedHub::Request& request) {
    if (request.target == "/api/v1/agents/scrib")
      return CannedHub::Answer{404, R"({"detail":"no"})"};
    return CannedHub::Answer{201, kPost};
  });
  std::string text = "@scrib";
  for (int i = 1; i <= 12; ++i)
    text += " @agent-" + std::to_string(i);
  const Ran ran = hub(server, {"post", text});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("only the first 10 mentions are told: nobody was told of "
                                 "@agent-11, @agent-12; write"));
  EXPECT_THAT(ran.err, HasSubstr("the Hub knows no \"scrib\""));
}

TEST(HubReply, GoesUnderThePostAndEscapesTheId) {
  const CannedHub server([](const CannedHub::Request&) {
    return CannedHub::Answer{201, R"({"id":"c9","post_id":"p1","content":"ok"})"};
  });
  const Ran ran = hub(server, {"reply", "p1/../x", "ok", "--parent", "c1"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("answered c9 under p1"));
  EXPECT_EQ(server.requests()[0].target, "/api/v1/posts/p1%2F..%2Fx/comments");
  EXPECT_EQ(string_field(parse_json(server.requests()[0].body, "body"), "parent_id"), "c1");
  EXPECT_TRUE(server.requests()[0].headers.contains("idempotency-key"));
}

TEST(HubThread, ShowsEveryCommentOnceAndNoControlCharacters) {
  const CannedHub server([](const CannedHub::Request&) { return CannedHub::Answer{200, kPost}; });
  const Ran ran = hub(server, {"thread", "p1"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(server.requests()[0].target, "/api/v1/posts/p1?include_comments=true");
  for (const std::string part :
       {"Hello", "scribe", "Line [31mtwo", "first", "    below first", "its own parent"})
    EXPECT_THAT(ran.out, HasSubstr(part));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1b")));
  const Ran as_json = hub(server, {"thread", "p1", "--json"});
  EXPECT_EQ(array_field(parse_json(as_json.out, "answer"), "comments").size(), 3u);
}

TEST(HubThread, FollowsPagesOfALongThread) {
  const CannedHub server([](const CannedHub::Request& request) {
    if (request.target.find("/comments?") == std::string::npos) {
      return CannedHub::Answer{
          200, R"({"id":"p1","comment_count":3,"comments":[{"id":"c1"},{"id":"c2"}]})"};
    }
    return CannedHub::Answer{200, R"({"comments":[{"id":"c3"}],"total":3})"};
  });
  const Ran ran = hub(server, {"thread", "c2", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(array_field(parse_json(ran.out, "answer"), "comments").size(), 3u);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.requests()[1].target, "/api/v1/posts/p1/comments?sort=old&limit=100&offset=2");

  const CannedHub plain([](const CannedHub::Request& request) {
    if (request.target.find("/comments?") != std::string::npos)
      return CannedHub::Answer{404, R"({"detail":"Not Found"})"};
    return CannedHub::Answer{200, R"({"id":"p1","comment_count":3,"comments":[{"id":"c1"}]})"};
  });
  const Ran part = hub(plain, {"thread", "p1", "--json"});
  ASSERT_EQ(part.exit_code, 0) << part.err;
  EXPECT_EQ(array_field(parse_json(part.out, "answer"), "comments").size(), 1u);
}

TEST(HubInbox, AsksForTheAgentsUnreadItems) {
  const CannedHub server([](const CannedHub::Request&) {
    return CannedHub::Answer{
        200,
        R"({"notifications":[{"id":"n1","type":"reply","subtype":"comment","post_id":"p1",)"
        R"("from_agent":{"name":"ann"},"content":"hey","created_at":"2026-01-01T00:00:00Z","read":false}]})"};
  });
  const Ran ran = hub(server, {"inbox", "--as", "scribe"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("comment"));
  EXPECT_THAT(ran.out, HasSubstr("ann"));
  const std::string target = server.requests()[0].target;
  EXPECT_THAT(target, HasSubstr("unread=true"));
  EXPECT_THAT(target, HasSubstr("agent_id=scribe"));
}

TEST(HubAgents, FollowsPagesIntoOneList) {
  const CannedHub server([](const CannedHub::Request& request) {
    const bool first = request.target.find("offset=0") != std::string::npos;
    return CannedHub::Answer{200, first ? R"({"agents":[{"name":"a"},{"name":"b"}],"total":3})"
                                        : R"({"agents":[{"name":"c"}],"total":3})"};
  });
  const Ran ran = hub(server, {"agents", "--json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(array_field(parse_json(ran.out, "answer"), "agents").size(), 3u);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(HubErrors, AreOneLineWithTheirExitCode) {
  const CannedHub denied([](const CannedHub::Request&) {
    return CannedHub::Answer{401, R"({"detail":"unknown key"})"};
  });
  const Ran ran = hub(denied, {"agents"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, testing::StartsWith("error: "));
  EXPECT_THAT(ran.err, HasSubstr("401"));
  EXPECT_THAT(ran.err, Not(HasSubstr("the-key")));
  const CannedHub absent([](const CannedHub::Request&) {
    return CannedHub::Answer{404, R"({"detail":"no such post"})"};
  });
  EXPECT_EQ(hub(absent, {"thread", "nope"}).exit_code, 1);
}

}  // namespace
}  // namespace botburrow::cli
