// Posts, comments, threads, lists, search and discovery.

#include "base/error.hpp"
#include "hub/render.hpp"
#include "hub/search_terms.hpp"
#include "store_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

namespace botburrow::hub {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class StoreContentTest : public StoreTest {
 protected:
  StoreContentTest() {
    for (const auto* name : {"alpha", "beta", "gamma"})
      add_agent(name);
    add_agent("owner", "human");
  }
  std::vector<std::string> contents(const PostQuery& query) {
    std::vector<std::string> found;
    for (const auto& post : store_->list_posts(query).items)
      found.push_back(post.content);
    return found;
  }
  std::vector<std::string> found(std::string text, SearchType type = SearchType::posts) {
    SearchQuery query;
    query.text = std::move(text);
    query.type = type;
    std::vector<std::string> contents;
    for (const auto& hit : store_->search(query)) {
      if (hit.post) contents.push_back(hit.post->content);
      if (hit.comment) contents.push_back(hit.comment->content);
      if (hit.agent) contents.push_back("@" + hit.agent->name);
      if (hit.community) contents.push_back("m/" + hit.community->name);
    }
    return contents;
  }
  std::vector<std::string> discovered(const DiscoverQuery& query) {
    std::vector<std::string> contents;
    for (const auto& item : store_->discover(query))
      contents.push_back(item.post.content);
    return contents;
  }
  int vote(std::string actor, std::string id, int value, Target target = Target::post) {
    NewVote vote;
    vote.actor = std::move(actor);
    vote.id = std::move(id);
    vote.value = value;
    vote.target = target;
    const auto result = store_->vote(vote);
    EXPECT_EQ(result.kind, WriteKind::done) << result.what;
    return static_cast<int>(object_of(result).at("score").as_int64());
  }
};

TEST_F(StoreContentTest, APostHasEveryField) {
  NewPost request;
  request.actor = "alpha";
  request.title = "Title";
  request.content = "Text";
  request.community = "/m/News";
  request.link_url = "https://example.org";
  request.tags = {"a", "b\"c"};
  const auto body = object_of(store_->create_post(request));
  for (const auto* field :
       {"id",       "author",  "title",     "content",       "community",
        "link_url", "tags",    "media_url", "media_type",    "media_description",
        "score",    "upvotes", "downvotes", "comment_count", "parent_id",
        "pinned",   "locked",  "your_vote", "created_at",    "updated_at"}) {
    EXPECT_TRUE(body.contains(field)) << field;
  }
  EXPECT_EQ(body.at("community").as_string(), "m/news");
  EXPECT_EQ(body.at("author").at("id").as_string(), "alpha");
  EXPECT_EQ(body.at("tags").as_array().size(), 2U);
  EXPECT_TRUE(body.at("parent_id").is_null());
  EXPECT_EQ(body.at("created_at").as_string(), "2026-02-02T02:40:00.000Z");
}

TEST_F(StoreContentTest, ALinkOnlyPostHasEmptyContent) {
  NewPost request;
  request.actor = "alpha";
  request.link_url = "https://example.org";
  const auto body = object_of(store_->create_post(request));
  EXPECT_EQ(body.at("content").as_string(), "");
  EXPECT_TRUE(body.at("title").is_null());
}

TEST_F(StoreContentTest, UnknownCommunitiesAreMadeUnlessForbidden) {
  EXPECT_EQ(post("alpha", "one", "brand-new").kind, WriteKind::done);
  EXPECT_EQ(store_->find_community("m/brand-new", {})->post_count, 1);
  EXPECT_EQ(post("alpha", "two", "no such name!").kind, WriteKind::invalid);
  options_.auto_create_communities = false;
  reopen();
  EXPECT_EQ(post("alpha", "three", "brand-newer").kind, WriteKind::not_found);
  EXPECT_EQ(post("alpha", "three", "brand-new").kind, WriteKind::done);
}

TEST_F(StoreContentTest, UnknownAndBannedActorsWriteNothing) {
  EXPECT_EQ(post("nobody", "x").kind, WriteKind::not_found);
  store_->ban_agent("alpha", "spam", std::nullopt);
  EXPECT_EQ(post("alpha", "x").kind, WriteKind::forbidden);
  EXPECT_EQ(store_->list_posts({}).total, 0);
}

TEST_F(StoreContentTest, ThreadsAreOldestFirstAndCommentsNest) {
  const auto thread = id_of(post("owner", "root"));
  const auto first = id_of(comment("alpha", thread, "first"));
  const auto under = object_of(comment("beta", first, "under first"));
  EXPECT_EQ(under.at("parent_id").as_string(), first);
  EXPECT_EQ(under.at("post_id").as_string(), thread);
  EXPECT_EQ(under.at("depth").as_int64(), 1);

  NewComment explicit_parent;
  explicit_parent.actor = "gamma";
  explicit_parent.target = thread;
  explicit_parent.parent_id = std::string(under.at("id").as_string());
  explicit_parent.content = "deeper";
  EXPECT_EQ(object_of(store_->create_comment(explicit_parent)).at("depth").as_int64(), 2);
  explicit_parent.parent_id = thread;
  EXPECT_EQ(object_of(store_->create_comment(explicit_parent)).at("depth").as_int64(), 0);
  explicit_parent.parent_id = "nonsense";
  EXPECT_EQ(store_->create_comment(explicit_parent).kind, WriteKind::invalid);

  const auto read = store_->find_thread(thread, {}, CommentSort::oldest, 500);
  ASSERT_TRUE(read);
  std::vector<std::string> contents;
  for (const auto& c : read->comments)
    contents.push_back(c.content);
  EXPECT_THAT(contents, ElementsAre("first", "under first", "deeper", "deeper"));
  EXPECT_EQ(read->post.comment_count, 4);
  EXPECT_EQ(read->focus_comment_id, "");

  const auto focused = store_->find_thread(first, {}, CommentSort::oldest, 0);
  ASSERT_TRUE(focused);
  EXPECT_EQ(focused->post.id, thread);
  EXPECT_EQ(focused->focus_comment_id, first);
  EXPECT_THAT(focused->comments, IsEmpty());

  const auto chain = store_->ancestors_of(read->comments[2].id, {});
  ASSERT_EQ(chain.size(), 2U);
  EXPECT_EQ(chain[0].content, "first");
  EXPECT_FALSE(store_->find_thread("nothing", {}, CommentSort::oldest, 1));
}

TEST_F(StoreContentTest, LockedThreadsTakeNoComments) {
  const auto thread = id_of(post("owner", "root"));
  EXPECT_TRUE(store_->set_locked(thread, true));
  EXPECT_EQ(comment("alpha", thread, "x").kind, WriteKind::locked);
  store_->set_locked(thread, false);
  EXPECT_EQ(comment("alpha", thread, "x").kind, WriteKind::done);
}

TEST_F(StoreContentTest, HiddenAndDeletedContentIsForAuthorAndModerators) {
  const auto hidden = id_of(post("alpha", "hidden words"));
  const auto gone = id_of(post("alpha", "deleted words"));
  const auto under = id_of(comment("beta", hidden, "words under it"));
  EXPECT_TRUE(store_->find_comment(under, {.agent_id = "gamma"}));
  store_->set_hidden(Target::post, hidden, true);
  EXPECT_FALSE(store_->find_comment(under, {.agent_id = "gamma"}));
  EXPECT_EQ(store_->delete_post(gone, {.agent_id = "beta"}).kind, WriteKind::forbidden);
  EXPECT_EQ(store_->delete_post(gone, {.agent_id = "alpha"}).status, 204);
  for (const auto& id : {hidden, gone}) {
    EXPECT_FALSE(store_->find_post(id, {.agent_id = "beta"}));
    EXPECT_TRUE(store_->find_post(id, {.agent_id = "alpha"}));
    EXPECT_TRUE(store_->find_post(id, {.agent_id = "", .privileged = true}));
    EXPECT_EQ(comment("beta", id, "x").kind, WriteKind::not_found);
  }
  EXPECT_THAT(contents({}), IsEmpty());
  EXPECT_THAT(found("words"), IsEmpty());
}

TEST_F(StoreContentTest, ADeletedCommentKeepsItsPlace) {
  const auto thread = id_of(post("owner", "root"));
  const auto first = id_of(comment("alpha", thread, "secret words @beta"));
  comment("beta", first, "answer");
  EXPECT_EQ(store_->delete_comment(first, {.agent_id = "alpha"}).status, 204);
  const auto read = store_->find_thread(thread, {}, CommentSort::oldest, 500);
  ASSERT_EQ(read->comments.size(), 2U);
  EXPECT_TRUE(read->comments[0].deleted);
  EXPECT_EQ(read->comments[0].content, "[deleted]");
  EXPECT_THAT(found("secret", SearchType::comments), IsEmpty());
  EXPECT_THAT(inbox("beta", false), IsEmpty());
}

TEST_F(StoreContentTest, EditsShowInSearch) {
  const auto id = id_of(post("alpha", "old wording"));
  Edit edit;
  edit.editor.agent_id = "alpha";
  edit.id = id;
  edit.content = "fresh phrasing";
  EXPECT_EQ(object_of(store_->edit_post(edit)).at("content").as_string(), "fresh phrasing");
  EXPECT_THAT(found("wording"), IsEmpty());
  EXPECT_THAT(found("phrasing"), ElementsAre("fresh phrasing"));
  edit.editor.agent_id = "beta";
  EXPECT_EQ(store_->edit_post(edit).kind, WriteKind::forbidden);
}

TEST_F(StoreContentTest, ContentOutlivesItsAuthor) {
  const auto id = id_of(post("alpha", "last words"));
  comment("alpha", id, "and more");
  post("beta", "@alpha hi");
  EXPECT_TRUE(store_->delete_agent("alpha"));
  EXPECT_FALSE(store_->delete_agent("alpha"));
  const auto read = store_->find_thread(id, {}, CommentSort::oldest, 10);
  EXPECT_EQ(read->post.author.id, "deleted");
  EXPECT_EQ(read->comments[0].author.name, "deleted");
  EXPECT_EQ(render(read->post).at("author").at("id").as_string(), "deleted");
  EXPECT_EQ(comment("beta", id, "rest well").kind, WriteKind::done);
}

// --- lists

TEST_F(StoreContentTest, PagesStayStableWhileNewPostsArrive) {
  for (int i = 0; i < 7; ++i)
    post("alpha", fmt::format("post {}", i));
  for (const auto sort : {PostSort::newest, PostSort::hot, PostSort::top}) {
    PostQuery query;
    query.sort = sort;
    query.page.limit = 3;
    std::set<std::string> seen;
    std::vector<std::string> in_order;
    for (int page = 0; page < 10; ++page) {
      const auto got = store_->list_posts(query);
      for (const auto& item : got.items) {
        EXPECT_TRUE(seen.insert(item.id).second) << "twice: " << item.content;
        in_order.push_back(item.content);
      }
      post("beta", fmt::format("newcomer {} {}", static_cast<int>(sort), page));
      if (got.next_cursor.empty()) break;
      query.page.cursor = got.next_cursor;
    }
    for (int i = 0; i < 7; ++i) {
      EXPECT_THAT(in_order, ::testing::Contains(fmt::format("post {}", i)))
          << static_cast<int>(sort);
    }
  }
}

TEST_F(StoreContentTest, CursorsOfOtherListsAreRefused) {
  PostQuery query;
  for (const auto* cursor : {"x", "n", "nx", "n1,2", "h1", "o-", "n99999999999999999999"}) {
    query.page.cursor = cursor;
    EXPECT_THROW(store_->list_posts(query), Error) << cursor;
  }
}

TEST_F(StoreContentTest, ListsFilterByCommunityAuthorTagAndTime) {
  NewPost tagged;
  tagged.actor = "alpha";
  tagged.content = "tagged";
  tagged.tags = {"C++", "News"};
  store_->create_post(tagged);
  clock_.advance(hours(30));
  post("beta", "fresh", "lounge");

  PostQuery query;
  query.tag = "c++";
  EXPECT_THAT(contents(query), ElementsAre("tagged"));
  query.tag = "ew";
  EXPECT_THAT(contents(query), IsEmpty());
  query = {};
  query.community = "m/Lounge";
  EXPECT_THAT(contents(query), ElementsAre("fresh"));
  query.community = "not a name!";
  EXPECT_THAT(contents(query), IsEmpty());
  query = {};
  query.author = "alpha";
  EXPECT_THAT(contents(query), ElementsAre("tagged"));
  query = {};
  query.within = hours(24);
  EXPECT_THAT(contents(query), ElementsAre("fresh"));
  query = {};
  query.sort = PostSort::rising;
  EXPECT_THAT(contents(query), ElementsAre("fresh"));
}

TEST_F(StoreContentTest, VotesCountOnceAndMoveTheLists) {
  const auto old = id_of(post("alpha", "old"));
  const auto fresh = id_of(post("alpha", "fresh"));
  EXPECT_EQ(vote("beta", old, 1), 1);
  EXPECT_EQ(vote("beta", old, 1), 1);
  EXPECT_EQ(vote("gamma", old, 1), 2);
  EXPECT_EQ(vote("gamma", old, -1), 0);
  EXPECT_EQ(vote("gamma", old, 0), 1);
  EXPECT_EQ(store_->find_agent("alpha")->karma, 1);
  EXPECT_EQ(store_->find_post(old, {.agent_id = "beta"})->your_vote, 1);
  EXPECT_EQ(store_->find_post(old, {.agent_id = "gamma"})->your_vote, 0);
  for (int i = 0; i < 12; ++i)
    vote(add_agent(fmt::format("voter-{}", i)), old, 1);
  PostQuery query;
  query.sort = PostSort::top;
  EXPECT_THAT(contents(query), ElementsAre("old", "fresh"));
  query.sort = PostSort::hot;
  EXPECT_THAT(contents(query), ElementsAre("old", "fresh"));

  NewVote own;
  own.actor = "alpha";
  own.id = fresh;
  own.value = 1;
  EXPECT_EQ(store_->vote(own).kind, WriteKind::invalid);
  own.id = "nothing";
  EXPECT_EQ(store_->vote(own).kind, WriteKind::not_found);
  const auto answer = id_of(comment("beta", fresh, "hm"));
  EXPECT_EQ(vote("alpha", answer, -1, Target::comment), -1);
}

TEST_F(StoreContentTest, OwnFeedFallsBackToEverything) {
  post("alpha", "from alpha", "news");
  post("beta", "from beta", "lounge");
  PostQuery query;
  query.viewer.agent_id = "owner";
  query.subscribed_only = true;
  EXPECT_THAT(contents(query), ElementsAre("from beta", "from alpha"));
  EXPECT_EQ(store_->set_subscribed("owner", "m/news", true), true);
  EXPECT_EQ(store_->set_subscribed("owner", "m/news", true), true);
  EXPECT_EQ(store_->find_community("news", query.viewer)->subscriber_count, 1);
  EXPECT_THAT(contents(query), ElementsAre("from alpha"));
  store_->set_follow("owner", "beta", true);
  EXPECT_THAT(contents(query), ElementsAre("from beta", "from alpha"));
  EXPECT_FALSE(store_->set_subscribed("owner", "m/nowhere", true));
}

TEST_F(StoreContentTest, CommentListsPageBothWays) {
  const auto thread = id_of(post("owner", "root"));
  for (int i = 0; i < 5; ++i)
    comment("alpha", thread, fmt::format("c{}", i));
  CommentQuery query;
  query.post_id = thread;
  query.page.limit = 2;
  std::vector<std::string> seen;
  for (const auto sort :
       {CommentSort::oldest, CommentSort::newest, CommentSort::top, CommentSort::controversial}) {
    query.sort = sort;
    query.page.cursor.clear();
    seen.clear();
    do {
      const auto page = store_->list_comments(query);
      for (const auto& item : page.items)
        seen.push_back(item.content);
      query.page.cursor = page.next_cursor;
    } while (!query.page.cursor.empty());
    if (sort == CommentSort::newest) {
      EXPECT_THAT(seen, ElementsAre("c4", "c3", "c2", "c1", "c0"));
    } else {
      EXPECT_THAT(seen, ElementsAre("c0", "c1", "c2", "c3", "c4"));
    }
  }
}

// --- search

TEST_F(StoreContentTest, SearchFindsWordsPhrasesAndBeginnings) {
  post("alpha", "The migration of the database went well");
  post("beta", "Database of migrating birds", "birds", "Ornithology");
  EXPECT_EQ(found("database").size(), 2U);
  EXPECT_THAT(found("\"migrating birds\""), ElementsAre("Database of migrating birds"));
  EXPECT_THAT(found("ornith"), ElementsAre("Database of migrating birds"));
  EXPECT_THAT(found("well database"), ElementsAre("The migration of the database went well"));
  // No post has all of the words: any of them will do.
  EXPECT_THAT(found("what happened to the birds yesterday"),
              ::testing::Contains("Database of migrating birds"));
}

TEST_F(StoreContentTest, SearchOperatorsFilter) {
  NewPost tagged;
  tagged.actor = "alpha";
  tagged.content = "alpha writes";
  tagged.tags = {"Ops"};
  store_->create_post(tagged);
  clock_.advance(hours(48));
  post("beta", "beta writes");
  EXPECT_THAT(found("writes from:@Alpha"), ElementsAre("alpha writes"));
  EXPECT_THAT(found("from:beta"), ElementsAre("beta writes"));
  EXPECT_THAT(found("tag:ops"), ElementsAre("alpha writes"));
  EXPECT_THAT(found("writes after:2026-02-03"), ElementsAre("beta writes"));
  EXPECT_THAT(found("writes before:2026-02-03"), ElementsAre("alpha writes"));
  SearchQuery query;
  query.text = "writes";
  query.author = "beta";
  query.community = "m/general";
  EXPECT_EQ(store_->search(query).size(), 1U);
  query.community = "m/elsewhere";
  EXPECT_EQ(store_->search(query).size(), 0U);
}

TEST_F(StoreContentTest, SearchNeverFailsOnOddText) {
  post("alpha", "we like C++ and 100% \"quotes\" AND (parentheses)");
  post("beta", "\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xB8\x96\xE7\x95\x8C");
  for (const auto* text : {"\"",       "\"\"",     "(",       "a AND", "OR OR", "NOT",
                           "NEAR(a b", "*",        "col:umn", "^x",    "-x",    "a\"b",
                           "''",       "%",        "_",       "\\",    "from:", "after:yesterday",
                           "tag:",     "\xff\xfe", "a:b:c",   "{x}",   "x*y",   "+",
                           "\t\n",     ";--"}) {
    EXPECT_NO_THROW(found(text)) << text;
    EXPECT_NO_THROW(found(text, SearchType::all)) << text;
  }
  EXPECT_NO_THROW(found(std::string(500, '"')));
  EXPECT_NO_THROW(found(std::string("a\0b", 3)));
  EXPECT_THAT(found("100%"), ElementsAre(::testing::HasSubstr("C++")));
  EXPECT_THAT(found("++"), ElementsAre(::testing::HasSubstr("C++")));
  EXPECT_THAT(found("\xE5\xA5\xBD\xE4\xB8\x96"),
              ElementsAre(::testing::StartsWith("\xE4\xBD\xA0")));
}

TEST_F(StoreContentTest, SearchFindsCommentsAgentsAndCommunities) {
  const auto thread = id_of(post("owner", "about alphabets", "alpha-club"));
  comment("beta", thread, "alphabetical order");
  EXPECT_THAT(found("alphabet", SearchType::comments), ElementsAre("alphabetical order"));
  EXPECT_THAT(found("@alpha", SearchType::agents), ElementsAre("@alpha"));
  EXPECT_THAT(found("type:human", SearchType::agents), ElementsAre("@owner"));
  EXPECT_THAT(found("m/alpha", SearchType::communities), ElementsAre("m/alpha-club"));
  EXPECT_THAT(
      found("alpha", SearchType::all),
      UnorderedElementsAre("about alphabets", "alphabetical order", "@alpha", "m/alpha-club"));
  SearchQuery query;
  query.text = "alpha";
  query.type = SearchType::all;
  query.limit = 2;
  query.offset = 3;
  EXPECT_EQ(store_->search(query).size(), 1U);
  EXPECT_EQ(render(store_->search(query).front()).contains("relevance"), true);
}

// --- discovery

TEST_F(StoreContentTest, DiscoveryLeavesOutOwnAnsweredOldAndStatusPosts) {
  post("owner", "too old");
  clock_.advance(hours(25));
  const auto answered = id_of(post("owner", "answered"));
  comment("alpha", answered, "mine");
  post("alpha", "own");
  post("beta", "status", "agent-status");
  const auto locked = id_of(post("owner", "locked"));
  store_->set_locked(locked, true);
  post("owner", "open");
  DiscoverQuery query;
  query.viewer.agent_id = "alpha";
  EXPECT_THAT(discovered(query), ElementsAre("open"));
  query.exclude_responded = false;
  EXPECT_THAT(discovered(query), UnorderedElementsAre("open", "answered"));
  query.communities = {"m/agent-status"};
  EXPECT_THAT(discovered(query), ElementsAre("status"));
  query.communities = {};
  query.exclude_authors = {"owner"};
  EXPECT_THAT(discovered(query), IsEmpty());
}

TEST_F(StoreContentTest, DiscoveryPrefersInterestsAndFallsBackToNews) {
  post("owner", "nothing special");
  post("owner", "a word about databases", "general");
  post("owner", "hello", "cooking");
  DiscoverQuery query;
  query.viewer.agent_id = "alpha";
  query.keywords = {"Database", "index"};
  query.communities = {"m/cooking"};
  EXPECT_THAT(discovered(query), UnorderedElementsAre("a word about databases", "hello"));
  query.keywords = {"astronomy"};
  query.communities = {};
  EXPECT_EQ(discovered(query).size(), 3U);
  query.limit = 1;
  EXPECT_EQ(discovered(query).size(), 1U);
}

TEST_F(StoreContentTest, DiscoverySinksWhatAgentsAnsweredAlready) {
  const auto busy = id_of(post("owner", "database question one"));
  for (int i = 0; i < 4; ++i)
    comment(i % 2 == 0 ? "beta" : "gamma", busy, fmt::format("answer {}", i));
  clock_.advance(minutes(1));
  post("owner", "database question two");
  DiscoverQuery query;
  query.viewer.agent_id = "alpha";
  query.keywords = {"database"};
  const auto items = store_->discover(query);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0].post.content, "database question two");
  EXPECT_EQ(items[1].existing_replies.size(), 3U);
  EXPECT_EQ(items[1].existing_replies[0].preview, "answer 0");
  for (const auto& item : items) {
    EXPECT_GE(item.relevance, 0);
    EXPECT_LE(item.relevance, 1);
  }
  EXPECT_GT(items[0].relevance, items[1].relevance);
}

TEST(SearchTerms, KnowsOperatorsWordsAndPhrases) {
  const auto terms = parse_search(
      "hello \"two words\" from:@Ann tag:#X type:goose after:2026-01-02 before:never a:b");
  EXPECT_THAT(terms.words, ElementsAre("hello", "two words", "before:never", "a:b"));
  EXPECT_EQ(terms.from, "ann");
  EXPECT_THAT(terms.tags, ElementsAre("x"));
  EXPECT_EQ(terms.type, "goose");
  EXPECT_TRUE(terms.after);
  EXPECT_FALSE(terms.before);
}

}  // namespace
}  // namespace botburrow::hub
