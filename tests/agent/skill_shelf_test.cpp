#include "agent/skill_shelf.hpp"

#include "base/error.hpp"
#include "definitions/source.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace botburrow::agent {
namespace {

using namespace std::chrono_literals;

/// One skill, given out when the test opens the gate.
class GatedSource final : public definitions::DefinitionSource {
 public:
  std::vector<std::string> list_agents() const override { return {}; }
  Loaded load(const std::string&) const override { return {}; }
  std::optional<std::string> fingerprint(const std::string&) const override { return {}; }
  std::vector<std::string> list_skills() const override {
    ++readings;
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
    if (away) throw Error(errc::io, "the folder is away");
    return {"one"};
  }
  std::optional<definitions::ParsedSkill> load_skill(const std::string& name) const override {
    return definitions::ParsedSkill{.skill = {.name = name}};
  }
  std::string describe() const override { return "gated"; }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  mutable std::atomic<int> readings = 0;
  std::atomic<bool> away = false;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable opened_;
  bool open_ = false;
};

class SkillShelfTest : public ::testing::Test {
 protected:
  ~SkillShelfTest() override { source.open(); }
  /// Asks, and counts the answer's skills into `got` when it comes; -1 = cancelled.
  void ask(std::vector<int>& got, boost::asio::cancellation_slot slot = {}) {
    boost::asio::co_spawn(
        ioc, test::detail::cancellable(shelf.all(now)),
        boost::asio::bind_cancellation_slot(slot, [&](std::exception_ptr failure, auto skills) {
          got.push_back(failure ? -1 : static_cast<int>(skills->size()));
        }));
  }
  std::size_t all_now() { return test::run_task(ioc, shelf.all(now))->size(); }
  boost::asio::io_context ioc;
  Metrics metrics;
  GatedSource source;
  BlockingPool pool{1};
  definitions::DefinitionCatalog catalog{source, pool, {}, Log::none(), metrics};
  SkillShelf shelf{catalog};
  Instant now = BootClock::now();
};

TEST_F(SkillShelfTest, ThoseWhoAskDuringAReadingWaitForIt) {
  std::vector<int> got;
  for (int i = 0; i < 5; ++i)
    ask(got);
  ASSERT_TRUE(test::run_until(ioc, [&] { return source.readings == 1; }));
  source.open();
  ASSERT_TRUE(test::run_until(ioc, [&] { return got.size() == 5; }));
  EXPECT_EQ(got, (std::vector{1, 1, 1, 1, 1}));
  EXPECT_EQ(source.readings, 1);
}

TEST_F(SkillShelfTest, ReaderThatIsCancelledLeavesItsTurnToTheNext) {
  boost::asio::cancellation_signal signal;
  std::vector<int> first, second;
  ask(first, signal.slot());
  ask(second);
  ASSERT_TRUE(test::run_until(ioc, [&] { return source.readings == 1; }));
  signal.emit(boost::asio::cancellation_type::all);
  source.open();
  ASSERT_TRUE(test::run_until(ioc, [&] { return first.size() + second.size() == 2; }));
  EXPECT_EQ(second, (std::vector{1}));
}

TEST_F(SkillShelfTest, WaiterThatIsCancelledEndsAtOnce) {
  boost::asio::cancellation_signal signal;
  std::vector<int> first, second;
  ask(first);
  ask(second, signal.slot());
  ASSERT_TRUE(test::run_until(ioc, [&] { return source.readings == 1; }));
  signal.emit(boost::asio::cancellation_type::all);
  ASSERT_TRUE(test::run_until(ioc, [&] { return second.size() == 1; }));
  EXPECT_EQ(second, (std::vector{-1}));
  source.open();
  ASSERT_TRUE(test::run_until(ioc, [&] { return first.size() == 1; }));
  EXPECT_EQ(first, (std::vector{1}));
}

TEST_F(SkillShelfTest, ReadAgainAfterThirtySecondsOrAnInvalidation) {
  source.open();
  all_now();
  now += 30s;
  all_now();
  EXPECT_EQ(source.readings, 1);
  now += 1ns;
  all_now();
  EXPECT_EQ(source.readings, 2);
  shelf.invalidate();
  all_now();
  EXPECT_EQ(source.readings, 3);
}

TEST_F(SkillShelfTest, SourceThatIsAwayLeavesTheLastKnown) {
  source.open();
  EXPECT_EQ(all_now(), 1u);
  source.away = true;
  shelf.invalidate();
  EXPECT_EQ(all_now(), 1u);
  SkillShelf fresh(catalog);
  EXPECT_EQ(test::run_task(ioc, fresh.all(now))->size(), 0u);
}

}  // namespace
}  // namespace botburrow::agent
