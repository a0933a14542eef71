#include "cli/service.hpp"

#include "base/error.hpp"
#include "cli/exit_code.hpp"
#include "tests/support/log_lines.hpp"

#include <gtest/gtest.h>

#include <signal.h>

namespace botburrow::cli {
namespace {

TEST(Service, GivesTheCodeOfItsBody) {
  EXPECT_EQ(run_service([](StopRequest&) -> Task<int> { co_return 7; }), 7);
}

TEST(Service, MapsWhatTheBodyThrows) {
  EXPECT_EQ(run_service([](StopRequest&) -> Task<int> {
              throw Error(errc::port_in_use, "port 80 is in use");
              co_return 0;
            }),
            69);
}

TEST(Service, TheFirstSignalAsksAndTheSecondHurries) {
  EXPECT_EQ(run_service([](StopRequest& stop) -> Task<int> {
              EXPECT_FALSE(stop.requested());
              ::raise(SIGTERM);
              co_await stop.until_requested();
              EXPECT_TRUE(stop.requested());
              EXPECT_FALSE(stop.urgent());
              ::raise(SIGINT);
              co_await stop.until_urgent();
              EXPECT_TRUE(stop.urgent());
              co_await stop.until_requested();  // at once
              co_return exit_code::kDone;
            }),
            0);
}

TEST(Service, AHangupDrainsAndNeverHurries) {
  const auto lines = std::make_shared<test::LogLines>();
  EXPECT_EQ(run_service([lines](StopRequest& stop) -> Task<int> {
              ::raise(SIGHUP);
              co_await stop.until_requested();
              for (int i = 0; i < 4; ++i) {
                ::raise(SIGHUP);
                co_await sleep_for(std::chrono::milliseconds(5));
              }
              EXPECT_FALSE(stop.urgent());
              stop.log_to(Log(lines, {}));
              ::raise(SIGTERM);
              co_await stop.until_urgent();
              co_return exit_code::kDone;
            }),
            0);
  EXPECT_EQ(lines->count("stop_requested", "SIGHUP"), 1U);
}

TEST(Service, AnIgnoredHangupStaysIgnored) {
  ::signal(SIGHUP, SIG_IGN);
  EXPECT_EQ(run_service([](StopRequest& stop) -> Task<int> {
              ::raise(SIGHUP);
              co_await sleep_for(std::chrono::milliseconds(5));
              EXPECT_FALSE(stop.requested()) << "nohup";
              ::raise(SIGTERM);
              co_await stop.until_requested();
              co_return exit_code::kDone;
            }),
            0);
  ::signal(SIGHUP, SIG_DFL);
}

TEST(Service, TheThirdSignalEndsTheProcess) {
  EXPECT_EXIT(run_service([](StopRequest& stop) -> Task<int> {
                ::raise(SIGTERM);
                co_await stop.until_requested();
                ::raise(SIGTERM);
                co_await stop.until_urgent();
                ::raise(SIGTERM);
                co_await sleep_for(std::chrono::minutes(1));
                co_return 0;
              }),
              testing::ExitedWithCode(130), "");
}

TEST(Service, ACommandIsCancelledByASignal) {
  EXPECT_EQ(run_command([]() -> Task<int> {
              ::raise(SIGINT);
              co_await sleep_for(std::chrono::minutes(1));
              co_return 0;
            }),
            130);
}

}  // namespace
}  // namespace botburrow::cli
