// The file: migrations, crashes, a full disk, and how fast it answers.

#include "base/error.hpp"
#include "hub/sqlite_db.hpp"
#include "hub/sqlite_schema.hpp"
#include "store_fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

namespace botburrow::hub {
namespace {

class StoreFileTest : public StoreTest {
 protected:
  StoreFileTest() {
    add_agent("scribe");
    add_agent("quiz");
  }
  static errc code_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.message().find('\n'), std::string::npos);
      return error.code();
    }
    return errc::internal;
  }
};

TEST_F(StoreFileTest, EverythingIsThereAfterReopening) {
  const auto thread = id_of(post("quiz", "@scribe hello"));
  comment("scribe", thread, "hi", keyed("k", "hi", Fence{1, 2}));
  reopen();
  EXPECT_EQ(store_->find_thread(thread, {}, CommentSort::oldest, 10)->comments.size(), 1U);
  EXPECT_EQ(inbox("scribe").size(), 1U);
  EXPECT_EQ(store_->generation().fence, (Fence{1, 2}));
}

TEST_F(StoreFileTest, ReadingEndsWithItsTime) {
  Database db(options_.path);
  constexpr std::string_view kEndless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  {
    const TimeLimit limit(db, std::chrono::milliseconds(1));
    EXPECT_FALSE(Sql(db, kEndless).row());
    EXPECT_TRUE(limit.over());
  }
  EXPECT_TRUE(Sql(db, "SELECT 1").row()) << "the next one has all the time it wants";
}

TEST_F(StoreFileTest, AReaderSeesWhatIsWrittenAndWritesNothing) {
  const auto reader = open_sqlite_reader(options_.path, clock_, random_);
  const auto thread = id_of(post("quiz", "hello there"));
  SearchQuery query;
  query.text = "hello";
  EXPECT_EQ(reader->search(query).size(), 1U);
  EXPECT_EQ(code_of([&] { reader->stamp_activated("scribe"); }), errc::io);
  EXPECT_TRUE(store_->find_post(thread, {}));
}

TEST_F(StoreFileTest, MigratingAgainDoesNothing) {
  Database db(options_.path);
  const int version = schema_version(db);
  EXPECT_GE(version, 1);
  migrate(db, clock_.wall());
  EXPECT_EQ(schema_version(db), version);
  EXPECT_EQ(store_->list_communities({}).size(), 7U);
}

TEST_F(StoreFileTest, ANewerSchemaIsLeftAlone) {
  {
    Database db(options_.path);
    Sql(db, "INSERT INTO schema_version(version, applied_at) VALUES (99, 0)").run();
  }
  reopen();
  EXPECT_TRUE(store_->find_agent("scribe"));
}

TEST_F(StoreFileTest, ASchemaThatThisProgramCannotReadIsRefused) {
  {
    Database db(options_.path);
    Sql(db, "INSERT INTO schema_version(version, applied_at, oldest_reader) VALUES (99, 0, 98)")
        .run();
  }
  store_.reset();
  try {
    open_sqlite_store(options_, clock_, random_);
    FAIL() << "it was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::bad_settings);
    EXPECT_THAT(error.message(), testing::AllOf(testing::HasSubstr(options_.path),
                                                testing::HasSubstr("needs a program that knows "
                                                                   "schema 98")));
  }
}

TEST_F(StoreFileTest, AFileOfTheFirstSchemaIsBroughtForward) {
  options_.path = (folder_ / "first.db").string();
  {
    Database db(options_.path);
    migrate(db, clock_.wall(), 1);
    // As the program of that time made it, and wrote to it.
    db.execute("ALTER TABLE schema_version DROP COLUMN oldest_reader");
    db.execute(
        "INSERT INTO agents(id, uuid, name, created_at, updated_at) VALUES ('old', 'u', 'old', 1, "
        "1);"
        "INSERT INTO idempotency_keys(agent_id, key, request_hash, fence_generation, fence_counter,"
        " status, body, created_at) VALUES ('old', 'k', 'h', 1, 1, 201, '{\"id\":\"c\"}', 1)");
  }
  reopen();
  EXPECT_TRUE(store_->find_agent("old"));
  EXPECT_EQ(store_->find_answer("old", "k")->status, 201);
  EXPECT_EQ(store_->list_communities({}).size(), 7U);
  store_->purge_expired();
  EXPECT_TRUE(store_->find_answer("old", "k")) << "its day begins now";
  clock_.advance(std::chrono::hours(25));
  store_->purge_expired();
  EXPECT_FALSE(store_->find_answer("old", "k"));
}

TEST_F(StoreFileTest, WhatTheProgramBeforeWritesMeanwhileIsKept) {
  const auto thread = id_of(post("quiz", "hello"));
  comment("scribe", thread, "x", keyed("ours", "x"));
  clock_.advance(std::chrono::hours(30));
  comment("scribe", thread, "y", keyed("later", "y"));
  store_.reset();
  {
    // It names no columns that it does not know.
    Database db(options_.path);
    db.execute(
        "INSERT OR REPLACE INTO idempotency_keys(agent_id, key, request_hash, fence_generation,"
        " fence_counter, status, body, created_at) VALUES ('scribe', 'k', 'h', 1, 1, 201, '{}', "
        "1)");
  }
  reopen();
  EXPECT_TRUE(store_->find_answer("scribe", "k"));
  store_->purge_expired();
  EXPECT_TRUE(store_->find_answer("scribe", "k"));
}

TEST_F(StoreFileTest, AnotherKindOfFileIsABadSetting) {
  options_.path = (folder_ / "notes.txt").string();
  std::ofstream(options_.path) << std::string(4096, 'x');
  EXPECT_EQ(code_of([&] { open_sqlite_store(options_, clock_, random_); }), errc::bad_settings);
}

TEST_F(StoreFileTest, AForeignDatabaseIsABadSetting) {
  options_.path = (folder_ / "other.db").string();
  {
    Database other(options_.path);
    other.execute("CREATE TABLE agents (x)");
  }
  EXPECT_EQ(code_of([&] { open_sqlite_store(options_, clock_, random_); }), errc::bad_settings);
}

TEST_F(StoreFileTest, AFolderInTheWayCanHeal) {
  options_.path = (folder_ / "folder.db").string();
  std::filesystem::create_directories(options_.path);
  EXPECT_EQ(code_of([&] { open_sqlite_store(options_, clock_, random_); }), errc::io);
}

TEST_F(StoreFileTest, OneStoreWritesAFileUnderWhateverName) {
  EXPECT_EQ(code_of([&] { open_sqlite_store(options_, clock_, random_); }), errc::already_exists);
  auto other = options_;
  std::filesystem::create_symlink(options_.path, folder_ / "link.db");
  other.path = (folder_ / "link.db").string();
  EXPECT_EQ(code_of([&] { open_sqlite_store(other, clock_, random_); }), errc::already_exists);
  store_.reset();
  EXPECT_TRUE(open_sqlite_store(other, clock_, random_)->find_agent("scribe"));
  reopen();
}

TEST_F(StoreFileTest, TheFileIsPrivateAndItsFolderIsMade) {
  options_.path = (folder_ / "a" / "b" / "hub.db").string();
  reopen();
  struct stat info{};
  ASSERT_EQ(::stat(options_.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(StoreFileTest, WhatWasAnsweredSurvivesAKill) {
  // The child writes and reports each commit, until it is killed between two instructions of its
  // own.
  options_.path = (folder_ / "killed.db").string();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    SeededRandom random(99);
    auto store = open_sqlite_store(options_, clock_, random);
    Registration writer;
    writer.name = "writer";
    store->register_agent(writer);
    for (int i = 0; i < 100'000; ++i) {
      NewPost request;
      request.actor = "writer";
      request.content = fmt::format("post {}", i);
      request.guard = keyed(fmt::format("k{}", i), request.content, Fence{1, i});
      store->create_post(request);
      if (::write(pipe_ends[1], "x", 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  char byte = 0;
  for (int i = 0; i < 40; ++i)
    ASSERT_EQ(::read(pipe_ends[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::int64_t acknowledged = 40;
  while (::read(pipe_ends[0], &byte, 1) == 1)
    ++acknowledged;
  ::close(pipe_ends[0]);

  reopen();
  const auto stored = store_->list_posts({}).total;
  EXPECT_GE(stored, acknowledged);
  EXPECT_LE(stored, acknowledged + 1);
  for (std::int64_t i = 0; i < stored; ++i)
    EXPECT_TRUE(store_->find_answer("writer", fmt::format("k{}", i))) << i;
  EXPECT_EQ(store_->find_agent("writer")->post_count, stored);
  EXPECT_EQ(store_->generation().fence->counter, stored - 1);
}

TEST_F(StoreFileTest, ACopyTakenWithoutClosingOpens) {
  const auto thread = id_of(post("quiz", "hello"));
  const auto crashed = folder_ / "crashed";
  std::filesystem::create_directories(crashed);
  for (const auto* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(options_.path + suffix, crashed / (std::string("hub.db") + suffix));
  }
  options_.path = (crashed / "hub.db").string();
  auto copy = open_sqlite_store(options_, clock_, random_);
  EXPECT_TRUE(copy->find_post(thread, {}));
}

TEST_F(StoreFileTest, AFullDiskChangesNothingAndHeals) {
  const auto thread = id_of(post("quiz", "hello"));
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit tiny = before;
  tiny.rlim_cur = std::filesystem::file_size(options_.path + "-wal");
  ::setrlimit(RLIMIT_FSIZE, &tiny);
  std::string cause;
  const auto code = code_of([&] {
    try {
      for (int i = 0; i < 2000; ++i)
        comment("scribe", thread, std::string(9000, 'x') + fmt::format("{}", i));
    } catch (const Error& error) {
      cause = error.detail();
      throw;
    }
  });
  const auto key_state = store_->find_key(sha256_hex("nothing")).state;
  const auto during = store_->find_thread(thread, {}, CommentSort::oldest, 500);
  ::setrlimit(RLIMIT_FSIZE, &before);

  EXPECT_EQ(code, errc::io);
  EXPECT_EQ(cause, "disk_full");
  EXPECT_EQ(key_state, KeyState::unknown);
  ASSERT_TRUE(during);
  EXPECT_EQ(static_cast<std::int64_t>(during->comments.size()), during->post.comment_count);
  EXPECT_EQ(comment("scribe", thread, "after").kind, WriteKind::done);
  EXPECT_EQ(store_->find_post(thread, {})->comment_count, during->post.comment_count + 1);
}

TEST_F(StoreFileTest, AWriteThatFailsInTheMiddleLeavesNothing) {
  const auto thread = id_of(post("quiz", "hello"));
  Database other(options_.path);
  other.execute(
      "CREATE TRIGGER broken BEFORE INSERT ON notifications BEGIN SELECT RAISE(ABORT, 'no'); END");
  const auto write = [&] { return comment("scribe", thread, "hi", keyed("k", "hi", Fence{1, 7})); };
  EXPECT_THROW(write(), Error);
  const auto after = store_->find_thread(thread, {}, CommentSort::oldest, 10);
  EXPECT_TRUE(after->comments.empty());
  EXPECT_EQ(after->post.comment_count, 0);
  EXPECT_FALSE(store_->find_answer("scribe", "k"));
  EXPECT_FALSE(store_->generation().fence);
  other.execute("DROP TRIGGER broken");
  EXPECT_EQ(write().kind, WriteKind::done);
}

TEST_F(StoreFileTest, AnotherWriterIsWaitedForAndThenReported) {
  Database other(options_.path);
  Transaction held(other);
  EXPECT_EQ(code_of([&] { post("quiz", "hello"); }), errc::io);
  held.commit();
  EXPECT_EQ(post("quiz", "hello").kind, WriteKind::done);
}

double milliseconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Reading each post and comment once: what answers are compared with.
double time_to_read_all(Database& db) {
  const auto read = [&] {
    Sql(db, "SELECT count(*) FROM posts WHERE content LIKE '%nowhere%'").row();
    Sql(db, "SELECT count(*) FROM comments WHERE content LIKE '%nowhere%'").row();
  };
  return std::max(milliseconds_of(read), milliseconds_of(read));
}

TEST_F(StoreFileTest, AThousandPostsAndTenThousandCommentsAnswerFast) {
  double all_of_it = 0;
  std::string thread;
  {
    Database db(options_.path);
    Transaction bulk(db);
    for (int i = 0; i < 1000; ++i) {
      const std::string id = random_.uuid4();
      if (i == 500) thread = id;
      Sql(db,
          "INSERT INTO posts(id, author_id, community, title, content, score, hot, comment_count, "
          "created_at) "
          "VALUES (?1, 'quiz', ?2, ?3, ?4, ?5, ?6, 10, ?7)",
          id, fmt::format("c{}", i % 20), fmt::format("Title {}", i),
          fmt::format("Body {} about topic{} and the weather in town {}", i, i % 50,
                      std::string(600, 'y')),
          i % 9, i * 0.5, clock_.wall() - std::chrono::minutes(1000 - i))
          .run();
      for (int c = 0; c < 10; ++c) {
        // One thread is long.
        const std::string& under = c < 5 && i > 500 && i < 600 ? thread : id;
        Sql(db,
            "INSERT INTO comments(id, post_id, author_id, content, created_at) VALUES (?1, ?2, "
            "'scribe', ?3, ?4)",
            random_.uuid4(), under, fmt::format("Comment {} on topic{}", c, i % 50), clock_.wall())
            .run();
      }
    }
    bulk.commit();
    all_of_it = time_to_read_all(db);
  }
  reopen();
  const auto took = [&](const char* what, const std::function<void()>& call) {
    call();
    const auto ratio = milliseconds_of(call) / all_of_it;
    ::testing::Test::RecordProperty(what, fmt::format("{:.2f}", ratio));
    EXPECT_LT(ratio, 100) << what;
  };
  for (const auto sort : {PostSort::newest, PostSort::hot, PostSort::top, PostSort::rising}) {
    PostQuery query;
    query.sort = sort;
    took("feed", [&] { EXPECT_EQ(store_->list_posts(query).items.size(), 25U); });
  }
  took("thread", [&] {
    EXPECT_EQ(store_->find_thread(thread, {}, CommentSort::oldest, 500)->comments.size(), 500U);
  });
  SearchQuery search;
  search.text = "topic7 weather";
  took("search", [&] { EXPECT_EQ(store_->search(search).size(), 10U); });
  search.text = "nothing that stands anywhere zzz";
  took("search any", [&] { store_->search(search); });
  search.text = "+++";
  took("search plain", [&] { store_->search(search); });
  search.text = "topic7";
  search.type = SearchType::all;
  took("search all", [&] { EXPECT_EQ(store_->search(search).size(), 10U); });
  DiscoverQuery discover;
  discover.viewer.agent_id = "scribe";
  discover.keywords = {"topic7", "weather", "rockets"};
  took("discover", [&] { store_->discover(discover); });
  discover.viewer.agent_id = "";
  discover.exclude_responded = false;
  took("discover all", [&] { EXPECT_EQ(store_->discover(discover).size(), 10U); });
  int n = 0;
  took("comment", [&] {
    EXPECT_EQ(comment("scribe", thread, fmt::format("@quiz {}", n++)).kind, WriteKind::done);
  });
}

}  // namespace
}  // namespace botburrow::hub
