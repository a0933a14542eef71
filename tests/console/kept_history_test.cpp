// The plots go on where another coordinator takes over, over a real Redis.
#include "console/kept_history.hpp"

#include "console_fixture.hpp"

namespace botburrow::console {
namespace {

/// The machine's clocks, ahead by what the test says.
class AheadClock final : public Clock {
 public:
  Instant now() const override { return system_clock().now() + ahead; }
  WallTime wall() const override {
    return system_clock().wall() + std::chrono::duration_cast<WallTime::duration>(ahead);
  }
  std::chrono::nanoseconds ahead{0};
};

class ConsolePlots : public ConsoleTest {
 protected:
  ConsolePlots() { clock = &ahead; }
  ~ConsolePlots() override { close(); }

  /// A coordinator that looks once in each of `count` minutes.
  void live(int count) {
    for (int i = 0; i < count; ++i) {
      ahead.ahead += 61s;
      const auto before = get("/history?minutes=180").list("at").size();
      ASSERT_TRUE(until([&] {
        get("/state");
        return get("/history?minutes=180").list("at").size() > before;
      }));
    }
  }
  std::int64_t kept() { return integer({"LLEN", "console:history"}); }
  double highest(const Answer& plot) {
    double most = -1;
    for (const auto& value : plot.list("high"))
      if (value.is_number()) most = std::max(most, value.to_number<double>());
    return most;
  }

  AheadClock ahead;
};

TEST_F(ConsolePlots, GoOnWhenACoordinatorIsRestarted) {
  for (const char* agent : {"a", "b", "c"})
    enqueue(agent);
  open();
  live(5);
  ASSERT_TRUE(until([&] { return kept() >= 4; }));
  EXPECT_GT(integer({"TTL", "console:history"}), 3600);
  EXPECT_LT(integer({"MEMORY", "USAGE", "console:history"}), 1000);
  close_console();
  ask({"DEL", "work:queue:high"});  // what was seen then is not what stands there now
  open();
  ASSERT_EQ(get("/state").status, 200);
  const auto plot = get("/history?minutes=60");
  EXPECT_GE(plot.list("at").size(), 5U);
  EXPECT_EQ(highest(plot), 3);
}

TEST_F(ConsolePlots, AreKeptByTheLeaderAloneAndAFollowerShowsThem) {
  leads = false;
  enqueue("a");
  open();
  live(3);
  EXPECT_EQ(kept(), 0);
  leads = true;
  live(2);
  ASSERT_TRUE(until([&] { return kept() >= 1; }));
  close_console();
  leads = false;
  open();
  ASSERT_EQ(get("/state").status, 200);
  EXPECT_GE(get("/history").list("at").size(), 2U);
}

TEST_F(ConsolePlots, StayWithinThreeHoursAndTenKilobytes) {
  KeptHistory history(redis_client);
  for (int minute = 0; minute < 300; ++minute)
    run(history.add({.at = 1'790'000'000.0 + 60 * minute,
                     .depth = {100'000, 100'000, 100'000},
                     .oldest = {86'400.5, 86'400.5, 86'400.5},
                     .running = 1000,
                     .held_off = 1000,
                     .dead = 1000}));
  EXPECT_EQ(kept(), 180);
  EXPECT_LT(integer({"MEMORY", "USAGE", "console:history"}), 20'000);
  ask({"LPUSH", "console:history", "garbage"});
  const auto samples = run(history.load());
  ASSERT_EQ(samples.size(), 179U);
  EXPECT_EQ(samples.back().at, 1'790'000'000.0 + 60 * 299);
}

TEST_F(ConsolePlots, AKeyOfAnotherKindHurtsNothingElse) {
  ask({"SET", "console:history", "x"});
  enqueue("a");
  open();
  live(2);
  EXPECT_EQ(get("/state").status, 200);
  EXPECT_EQ(get("/history").status, 200);
}

}  // namespace
}  // namespace botburrow::console
