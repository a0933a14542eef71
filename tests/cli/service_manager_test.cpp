#include "cli/service_manager.hpp"

#include "tests/support/program.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

namespace botburrow::cli {
namespace {

using testing::Each;
using testing::ElementsAre;

/// The manager's end: a datagram socket in a folder of its own.
class ManagerSocket {
 public:
  explicit ManagerSocket(std::string path)
      : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    if (path_.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  ~ManagerSocket() { ::close(fd_); }
  ManagerSocket(const ManagerSocket&) = delete;

  const std::string& path() const { return path_; }
  /// What has come so far.
  const std::vector<std::string>& heard() {
    char text[256];
    for (ssize_t size = 0; (size = ::recv(fd_, text, sizeof text, 0)) >= 0;)
      heard_.emplace_back(text, static_cast<std::size_t>(size));
    return heard_;
  }

 private:
  std::string path_;
  int fd_;
  std::vector<std::string> heard_;
};

class ServiceManagerTest : public testing::Test {
 protected:
  Environment environment(const std::string& socket) const {
    Environment environment;
    environment.pid = 77;
    environment.variables["NOTIFY_SOCKET"] = socket;
    return environment;
  }
  boost::asio::io_context ioc;
  test::ScratchFolder folder;
};

TEST_F(ServiceManagerTest, SaysReadyAndStopping) {
  ManagerSocket socket(folder.file("notify"));
  ServiceManager manager(ioc.get_executor(), environment(socket.path()));
  EXPECT_THAT(socket.heard(), ElementsAre());
  manager.ready([] { return true; });
  manager.stopping();
  EXPECT_THAT(socket.heard(), ElementsAre("READY=1", "STOPPING=1"));
}

TEST_F(ServiceManagerTest, SpeaksToTheAbstractNamespace) {
  ManagerSocket socket("@" + folder.file("notify"));
  ServiceManager manager(ioc.get_executor(), environment(socket.path()));
  manager.ready([] { return true; });
  EXPECT_THAT(socket.heard(), ElementsAre("READY=1"));
}

TEST_F(ServiceManagerTest, PatsTheWatchdogAsLongAsTheServiceIsHealthy) {
  ManagerSocket socket(folder.file("notify"));
  auto with_watchdog = environment(socket.path());
  with_watchdog.variables["WATCHDOG_USEC"] = "20000";
  with_watchdog.variables["WATCHDOG_PID"] = "77";
  ServiceManager manager(ioc.get_executor(), with_watchdog);
  bool healthy = true;
  int asked = 0;
  manager.ready([&] {
    ++asked;
    return healthy;
  });
  ASSERT_TRUE(test::run_until(ioc, [&] { return socket.heard().size() >= 5; }));
  auto pats = socket.heard();
  pats.erase(pats.begin());
  EXPECT_THAT(pats, Each("WATCHDOG=1"));

  healthy = false;
  const auto said = socket.heard().size();
  asked = 0;
  ASSERT_TRUE(test::run_until(ioc, [&] { return asked >= 3; }));
  EXPECT_EQ(socket.heard().size(), said) << "asked again, and silent";
  healthy = true;
  ASSERT_TRUE(test::run_until(ioc, [&] { return socket.heard().size() > said; }));
}

TEST_F(ServiceManagerTest, AnotherProcessesWatchdogIsLeftAlone) {
  ManagerSocket socket(folder.file("notify"));
  auto inherited = environment(socket.path());
  inherited.variables["WATCHDOG_USEC"] = "1000";
  inherited.variables["WATCHDOG_PID"] = "78";
  ServiceManager manager(ioc.get_executor(), inherited);
  manager.ready([] { return true; });
  ioc.run();  // ends at once: nothing waits
  EXPECT_THAT(socket.heard(), ElementsAre("READY=1"));
}

TEST_F(ServiceManagerTest, NobodyListeningIsNoTrouble) {
  for (const auto& path : {std::string(), folder.file("nothing"), std::string(300, 'x')}) {
    ServiceManager manager(ioc.get_executor(), environment(path));
    manager.ready([] { return true; });
    manager.stopping();
  }
}

}  // namespace
}  // namespace botburrow::cli
