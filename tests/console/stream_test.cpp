// The stream of states: what a page is told without asking, and what it may cost.
#include "console/stream.hpp"

#include "base/metrics.hpp"
#include "console/run_watch.hpp"
#include "console_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace botburrow::console {
namespace {

using testing::HasSubstr;

/// A reader of the stream, as a page is one.
struct Reader {
  std::string text;
  int status = 0;
  bool over = false;
};

class ConsoleStream : public ConsoleTest {
 protected:
  std::shared_ptr<Reader> read(net::HttpHeaders headers = {},
                               std::string path = "/console/api/events") {
    auto reader = std::make_shared<Reader>();
    readers.spawn("reader", [this, reader, headers, path]() -> Task<> {
      net::HttpRequest request{.url = server->url() + path,
                               .headers = headers,
                               .total_timeout = 60s,
                               .on_body = [reader](std::string_view piece) {
                                 reader->text += piece;
                                 return true;
                               }};
      try {
        const auto response = co_await http.send(std::move(request));
        reader->status = response.status;
      } catch (const Error&) {
      }
      reader->over = true;
    });
    return reader;
  }
  ~ConsoleStream() override { run(readers.stop()); }

  double metric(const std::string& name) {
    const auto text = metrics.expose();
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  }

  TaskGroup readers{ioc.get_executor()};
};

std::size_t events_in(const std::string& text) {
  std::size_t count = 0;
  for (auto at = text.find("event: state\n"); at != std::string::npos;
       at = text.find("event: state\n", at + 1))
    ++count;
  return count;
}

TEST_F(ConsoleStream, TellsTheStateAtOnceAndEachChange) {
  open();
  const auto reader = read();
  ASSERT_TRUE(until([&] { return events_in(reader->text) == 1; }));
  EXPECT_THAT(reader->text, HasSubstr("retry: 3000"));
  EXPECT_THAT(reader->text, HasSubstr("\"dead\":0"));
  kill("scribe");
  ASSERT_TRUE(until([&] { return reader->text.find("\"dead\":1") != std::string::npos; }));
  EXPECT_EQ(metric("botburrow_console_streams"), 1);
}

TEST_F(ConsoleStream, IsThereUnderBothPrefixesOfTheApi) {
  open();
  const auto reader = read({}, "/api/v1/console/events");
  EXPECT_TRUE(until([&] { return events_in(reader->text) == 1; }));
}

TEST_F(ConsoleStream, SaysNothingTwice) {
  open();
  const auto reader = read();
  ASSERT_TRUE(until([&] { return events_in(reader->text) == 1; }));
  // Three looks later.
  const auto before = ask({"INFO", "commandstats"}).find("cmdstat_llen");
  EXPECT_NE(before, std::string::npos);
  pass(5s);
  EXPECT_EQ(events_in(reader->text), 1U);
}

TEST_F(ConsoleStream, ThereIsAPlaceForSoManyAndTheOthersAsk) {
  open(kAdminKey, 2);
  const auto first = read(), second = read();
  ASSERT_TRUE(until([&] { return events_in(first->text) && events_in(second->text); }));
  const auto third = get("/events");
  EXPECT_EQ(third.status, 503);
  EXPECT_EQ(third.str("code"), "limit");
  EXPECT_EQ(get("/state").status, 200);
  EXPECT_EQ(metric("botburrow_console_streams_refused_total"), 1);
}

TEST_F(ConsoleStream, AWrongKeyGetsNone) {
  open();
  EXPECT_EQ(get("/events", {{"Authorization", "Bearer other"}}).status, 401);
}

TEST_F(ConsoleStream, ManyReadersCostRedisNoMoreThanOne) {
  open();
  const auto looks = [this] {
    const auto stats = ask({"INFO", "commandstats"});
    const auto at = stats.find("cmdstat_zcard:calls=");
    return at == std::string::npos ? 0 : std::stoi(stats.substr(at + 20));
  };
  std::vector<std::shared_ptr<Reader>> all;
  for (int i = 0; i < 30; ++i)
    all.push_back(read());
  ASSERT_TRUE(until([&] {
    return std::ranges::all_of(all, [](const auto& one) { return events_in(one->text) > 0; });
  }));
  const auto before = looks();
  pass(4s);
  EXPECT_LE(looks() - before, 4) << "one look in two seconds";
}

TEST_F(ConsoleStream, AnEndedConsoleEndsItsStreams) {
  open();
  const auto reader = read();
  ASSERT_TRUE(until([&] { return events_in(reader->text) == 1; }));
  close();
  EXPECT_TRUE(until([&] { return reader->over; }));
  console.reset();
}

/// A reader that takes the first bytes and then none.
class StuckStream final : public net::ResponseStream {
 public:
  Task<> write(std::string bytes) override {
    written += bytes;
    if (++writes > 1) co_await sleep_for(std::chrono::hours(1));
  }
  void answer(net::ServerResponse) override { ADD_FAILURE() << "a stream is what was asked for"; }
  std::string written;
  int writes = 0;
};

TEST_F(ConsoleStream, ASlowReaderIsDropped) {
  queue::OperatorPages pages(redis_client);
  queue::Heartbeats heartbeats(redis_client);
  RunWatch runs(pages);
  Board board(ioc.get_executor(), "c",
              {.redis = redis_client,
               .view = view,
               .pages = pages,
               .heartbeats = heartbeats,
               .runs = runs,
               .clock = system_clock(),
               .is_leader = [] { return false; }},
              Log::none());
  run(redis_client.ready(Deadline::in(5s)));
  TaskGroup tasks(ioc.get_executor());
  tasks.spawn("board", [&board] { return board.loop(); });
  StuckStream stuck;
  try {
    run(stream_states(board, stuck, {.keep_alive = 5s, .write = 50ms}));
    FAIL() << "it goes on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::timeout);
  }
  EXPECT_EQ(stuck.writes, 2) << "what it did not take was not written over and over";
  run(tasks.stop());
}

}  // namespace
}  // namespace botburrow::console
