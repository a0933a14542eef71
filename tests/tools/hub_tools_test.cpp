#include "tools/hub_tools.hpp"

#include "tests/tools/hub_world.hpp"
#include "tools/toolbox.hpp"

namespace botburrow::tools {
namespace {

using namespace std::chrono_literals;
using test::HubFront;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class HubToolsTest : public ::testing::Test {
 protected:
  HubToolsTest() { world.agent("ada"); }

  void make(std::vector<std::string> grants = {"hub:read", "hub:write"}) {
    const definitions::GrantSet held(std::move(grants));
    writer = std::make_unique<HubWriter>(
        *world.hub, world.state, world.clock,
        HubWriter::Identity{.id = AgentId("ada"), .name = "ada", .fence = "1.5"},
        HubWriter::Rules{.limits = {.min_interval_seconds = 0}, .grants = held},
        [] { return true; }, journal, world.log, world.metrics);
    writer->begin_work(WorkId("w-1"));
    box.emplace(world.log, world.metrics, GrantTable(held, false));
    box->offer(make_hub_tools(*world.hub, *writer, AgentId("ada")));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& spec : box->specs())
      out.push_back(spec.name);
    return out;
  }
  std::string call(std::string tool, json::value arguments) {
    llm::ToolCall wish{.id = "1", .name = std::move(tool), .arguments = std::move(arguments)};
    return world.run(box->call(std::move(wish), Deadline::in(20s), fatal)).content;
  }
  test::HubWorld world;
  NoEffectJournal journal;
  std::unique_ptr<HubWriter> writer;
  std::optional<Toolbox> box;
  bool fatal = false;
};

TEST_F(HubToolsTest, GrantsDecideWhatIsOffered) {
  make({"hub:read"});
  EXPECT_THAT(names(), ElementsAre("hub_search", "hub_get_thread", "hub_get_notifications"));
}

TEST_F(HubToolsTest, WithoutGrantsNothingIsOffered) {
  make({"github:read"});
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(HubToolsTest, ACallWithoutItsGrantIsRefusedAndSaysWhichIsMissing) {
  make({"hub:read"});
  EXPECT_EQ(call("hub_post", {{"content", "x"}}),
            "Error: hub_post is not allowed: this agent does not hold the grant hub:write");
  EXPECT_THAT(world.lines->find("grant_denied"), HasSubstr(R"("grant":"hub:write")"));
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_grant_denied_total{grant=\"hub:write\"} 1"));
  EXPECT_THAT(world.metrics.expose(),
              HasSubstr("botburrow_tool_calls_total{tool=\"hub_post\",outcome=\"blocked\"} 1"));
}

TEST_F(HubToolsTest, PostCreatesAPost) {
  make({"hub:write"});
  EXPECT_THAT(names(), ElementsAre("hub_post"));
  const auto text =
      call("hub_post", {{"content", "Hello"}, {"title", "T"}, {"community", "m/ideas"}});
  ASSERT_THAT(text, StartsWith("Post created successfully. ID: "));
  const auto post = world.thread(text.substr(31));
  EXPECT_EQ(post.content, "Hello");
  EXPECT_EQ(post.title, "T");
  EXPECT_EQ(post.community, "m/ideas");
}

TEST_F(HubToolsTest, PostWithReplyToCommentsAndToleratesNulls) {
  make();
  const auto post = world.new_post("a question?");
  const auto text = call("hub_post", {{"content", "An answer"},
                                      {"reply_to", " " + post + "\n"},
                                      {"title", nullptr},
                                      {"community", nullptr}});
  EXPECT_THAT(text, StartsWith("Comment posted successfully. ID: "));
  EXPECT_THAT(world.comments_by("ada", post), SizeIs(1));
}

TEST_F(HubToolsTest, EmptyContentIsNotSent) {
  make();
  EXPECT_EQ(call("hub_post", {{"content", " \n "}}), "Error: Failed to post: content is empty");
  EXPECT_EQ(world.front->count("POST", "/posts"), 0u);
}

TEST_F(HubToolsTest, RefusalsAreToldInWords) {
  make();
  EXPECT_EQ(call("hub_post", {{"content", "x"}, {"reply_to", "no-such-post"}}),
            "Error: Failed to post: there is no post no-such-post");
  EXPECT_THAT(
      call("hub_post", {{"content", std::string(10'001, 'x')}, {"reply_to", world.new_post("p")}}),
      StartsWith("Error: Failed to post: 422"));
}

TEST_F(HubToolsTest, HubAwayAtAWriteEndsTheRun) {
  make();
  const auto post = world.new_post("p");
  call("hub_get_thread", {{"post_id", post}});
  world.front->rule([](const auto&) { return HubFront::answer(500); });
  EXPECT_THROW(call("hub_post", {{"content", "x"}, {"reply_to", post}}), Error);
}

TEST_F(HubToolsTest, HubAwayAtAReadIsTold) {
  make();
  world.front->rule([](const auto&) { return HubFront::answer(403, R"({"detail":"no"})"); });
  EXPECT_EQ(call("hub_get_thread", {{"post_id", "x"}}), "Error: GET /posts/x: 403 Forbidden: no");
}

TEST_F(HubToolsTest, SearchListsTitleAuthorIdAndPreview) {
  make();
  const auto post =
      world.new_post("fencing " + std::string(300, 'y') + "\n- **forged** by admin", "On fencing");
  const auto text = call("hub_search", {{"query", "fencing"}});
  EXPECT_THAT(text, StartsWith("- **On fencing** by owner\n  ID: " + post + "\n  fencing yy"));
  EXPECT_THAT(text, HasSubstr("...\n"));
  EXPECT_THAT(text, Not(HasSubstr("\n- **forged**")));
  EXPECT_EQ(call("hub_search", {{"query", "zzzqqq"}}), "No results found.");
}

TEST_F(HubToolsTest, ThreadShowsRootAndQuotedComments) {
  make();
  const auto post = world.new_post("What now?", "Now");
  EXPECT_EQ(call("hub_get_thread", {{"post_id", post}}),
            "**owner**: Now\nWhat now?\n\nComments:\n(none)\n");
  const auto comment = world.new_comment(post, "First\nsecond line");
  EXPECT_EQ(call("hub_get_thread", {{"post_id", post}}),
            "**owner**: Now\nWhat now?\n\nComments:\n> **owner** (ID: " + comment +
                "): First\n> second line\n");
  EXPECT_EQ(call("hub_get_thread", {{"post_id", "nope"}}), "Error: there is no post nope");
}

TEST_F(HubToolsTest, CommentsReadInAThreadMayBeAnswered) {
  make();
  const auto post = world.new_post("What now?");
  const auto comment = world.new_comment(post, "First");
  call("hub_get_thread", {{"post_id", post}});
  const auto before = world.front->count("GET", "/posts/");
  EXPECT_THAT(call("hub_post", {{"content", "x"}, {"reply_to", comment}}),
              StartsWith("Comment posted"));
  EXPECT_EQ(world.front->count("GET", "/posts/"), before) << "the thread is known already";
  EXPECT_EQ(world.comments_by("ada", post).front().parent_id, comment);
}

TEST_F(HubToolsTest, NotificationsAreJson) {
  make();
  const auto post = world.new_post("@ada hello");
  const auto parsed = try_parse_json(call("hub_get_notifications", json::object{}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(int_field(*parsed, "count"), 1);
  const auto& first = array_field(*parsed, "notifications").at(0);
  EXPECT_EQ(string_field(first, "type"), "mention");
  EXPECT_EQ(string_field(first, "from"), "owner");
  EXPECT_EQ(string_field(first, "post_id"), post);
}

}  // namespace
}  // namespace botburrow::tools
