// The wires of the chaos runs misbehave as they promise.

#include "tests/support/fault_proxy.hpp"

#include "base/task.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <array>

namespace botburrow {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using test::Fate;
using test::FaultProxy;
using test::Way;
using namespace std::chrono_literals;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

/// Says back whatever it is told, and remembers it.
class Echo {
 public:
  explicit Echo(asio::io_context& io)
      : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    asio::co_spawn(io, accept(), asio::detached);
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  const std::string& heard() const { return heard_; }
  std::size_t reads() const { return reads_; }
  int left() const { return left_; }

 private:
  Task<> accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kTuple);
      if (error) co_return;
      asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), asio::detached);
    }
  }
  Task<> serve(tcp::socket socket) {
    std::array<char, 1024> bytes;
    for (;;) {
      const auto [error, count] = co_await socket.async_read_some(asio::buffer(bytes), kTuple);
      if (error) break;
      ++reads_;
      heard_.append(bytes.data(), count);
      const auto [failed, written] =
          co_await asio::async_write(socket, asio::buffer(bytes.data(), count), kTuple);
      if (failed) break;
    }
    ++left_;
  }
  tcp::acceptor acceptor_;
  std::string heard_;
  std::size_t reads_ = 0;
  int left_ = 0;
};

class Client {
 public:
  Client(asio::io_context& io, int port) : io_(io), socket_(io) {
    socket_.connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)});
    asio::co_spawn(io, listen(), asio::detached);
  }
  ~Client() {
    leave();
    test::run_until(io_, [this] { return ended_; });
  }
  void say(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  void leave() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }
  const std::string& heard() const { return heard_; }
  bool ended() const { return ended_; }

 private:
  Task<> listen() {
    std::array<char, 1024> bytes;
    for (;;) {
      const auto [error, count] = co_await socket_.async_read_some(asio::buffer(bytes), kTuple);
      if (error) break;
      heard_.append(bytes.data(), count);
    }
    ended_ = true;
  }
  asio::io_context& io_;
  tcp::socket socket_;
  std::string heard_;
  bool ended_ = false;
};

class FaultProxyTest : public testing::Test {
 protected:
  ~FaultProxyTest() override {
    test::run_until(io_, [] { return false; }, 20ms);
  }
  bool eventually(const std::function<bool()>& what) { return test::run_until(io_, what, 10s); }
  /// Nothing happens that was under way.
  void let_pass() {
    test::run_until(io_, [] { return false; }, 50ms);
  }

  asio::io_context io_;
  Echo echo_{io_};
  FaultProxy wire_ = FaultProxy::to_tcp(io_.get_executor(), echo_.port());
};

TEST_F(FaultProxyTest, PassesBytesOn) {
  Client client(io_, wire_.port());
  client.say("hello");
  EXPECT_TRUE(eventually([&] { return client.heard() == "hello"; }));
}

TEST_F(FaultProxyTest, LosesARequestBeforeThePeerHearsIt) {
  Client client(io_, wire_.port());
  wire_.reset_requests(1);
  client.say("hello");
  EXPECT_TRUE(eventually([&] { return client.ended(); }));
  EXPECT_EQ(echo_.heard(), "");
  EXPECT_EQ(wire_.lost_requests(), 1u);
  Client next(io_, wire_.port());
  next.say("again");
  EXPECT_TRUE(eventually([&] { return next.heard() == "again"; }));
}

TEST_F(FaultProxyTest, LosesAnAnswerAfterThePeerHasActed) {
  Client client(io_, wire_.port());
  wire_.reset_answers(1);
  client.say("hello");
  EXPECT_TRUE(eventually([&] { return client.ended(); }));
  EXPECT_EQ(echo_.heard(), "hello");
  EXPECT_EQ(client.heard(), "");
}

TEST_F(FaultProxyTest, SlicesArriveInPieces) {
  Client client(io_, wire_.port());
  wire_.slice(3);
  client.say("abcdefghijkl");
  EXPECT_TRUE(eventually([&] { return client.heard() == "abcdefghijkl"; }));
  EXPECT_GT(echo_.reads(), 2u) << "1, 2, 3, 1, 2, 3 bytes";
}

TEST_F(FaultProxyTest, HalfOpenSwallowsInSilence) {
  Client client(io_, wire_.port());
  client.say("one");
  ASSERT_TRUE(eventually([&] { return client.heard() == "one"; }));
  wire_.strand(true);
  client.say("two");
  EXPECT_TRUE(eventually([&] { return wire_.swallowed() == 1; }));
  EXPECT_EQ(echo_.heard(), "one");
  client.leave();
  let_pass();
  EXPECT_EQ(echo_.left(), 0) << "the peer does not hear that its client has gone";
  wire_.mend();
  EXPECT_TRUE(eventually([&] { return echo_.left() == 1; }));
  EXPECT_EQ(wire_.connections(), 0u);
}

TEST_F(FaultProxyTest, MuteSwallowsAnswersOnly) {
  Client client(io_, wire_.port());
  client.say("one");
  ASSERT_TRUE(eventually([&] { return client.heard() == "one"; }));
  wire_.strand(false);
  client.say("two");
  EXPECT_TRUE(eventually([&] { return echo_.heard() == "onetwo" && wire_.swallowed() == 1; }));
  EXPECT_EQ(client.heard(), "one");
  EXPECT_FALSE(client.ended());
  Client next(io_, wire_.port());
  next.say("three");
  EXPECT_TRUE(eventually([&] { return next.heard() == "three"; })) << "new connections are sound";
}

TEST_F(FaultProxyTest, HeldPieceArrivesAlthoughItsClientHasGone) {
  Client client(io_, wire_.port());
  std::string answered;
  wire_.tap([](std::size_t, Way way, std::string_view) {
    return Fate{.hold = way == Way::forth ? 100ms : 0ms};
  });
  wire_.witness([&](std::size_t, Way way, std::string_view bytes) {
    if (way == Way::back) answered += bytes;
  });
  client.say("late");
  test::run_until(io_, [] { return false; }, 20ms);
  EXPECT_EQ(echo_.heard(), "");
  client.leave();
  EXPECT_TRUE(eventually([&] { return echo_.heard() == "late"; }));
  EXPECT_TRUE(eventually([&] { return answered == "late"; })) << "what the peer said is seen";
}

TEST_F(FaultProxyTest, TapCutsThePieceItNames) {
  Client client(io_, wire_.port());
  wire_.tap([](std::size_t, Way, std::string_view bytes) { return Fate{.cut = bytes == "bad"}; });
  client.say("good");
  ASSERT_TRUE(eventually([&] { return client.heard() == "good"; }));
  client.say("bad");
  EXPECT_TRUE(eventually([&] { return client.ended(); }));
  EXPECT_EQ(echo_.heard(), "good");
}

}  // namespace
}  // namespace botburrow
