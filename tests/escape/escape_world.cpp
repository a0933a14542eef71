#include "tests/escape/escape_world.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <map>

namespace botburrow::escape {
namespace {

namespace fs = std::filesystem;

template <class Address>
int listening(int family, int kind, Address address, socklen_t size) {
  const int fd = ::socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return -1;
  if (kind == SOCK_STREAM) ::listen(fd, 64);
  return fd;
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

/// Every name below a folder with what it is and holds.
std::string picture_of(const fs::path& folder) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat seen{};
    ::lstat(entry.path().c_str(), &seen);
    entries[entry.path()] = fmt::format("{:o} {} {} {}", seen.st_mode, seen.st_uid, seen.st_nlink,
                                        S_ISREG(seen.st_mode) ? sandbox::got(entry.path()) : "");
  }
  return fmt::format("{}", entries);
}

}  // namespace

Lures::Lures(const fs::path& folder)
    : unix_path_(folder / "lure.sock"), abstract_name_("bb-lure-" + system_random().uuid4()) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  tcp4_ = listening(AF_INET, SOCK_STREAM, four, sizeof four);
  udp_ = listening(AF_INET, SOCK_DGRAM, four, sizeof four);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  tcp6_ = listening(AF_INET6, SOCK_STREAM, six, sizeof six);
  port_of_tcp4_ = port_of(tcp4_);
  port_of_tcp6_ = port_of(tcp6_);
  port_of_udp_ = port_of(udp_);
  sockaddr_un named{.sun_family = AF_UNIX};
  unix_path_.copy(named.sun_path, sizeof named.sun_path - 1);
  unix_ = listening(AF_UNIX, SOCK_STREAM, named, sizeof named);
  ::chmod(unix_path_.c_str(), 0777);
  sockaddr_un nameless{.sun_family = AF_UNIX};
  abstract_name_.copy(nameless.sun_path + 1, sizeof nameless.sun_path - 2);
  abstract_ = listening(
      AF_UNIX, SOCK_STREAM, nameless,
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + abstract_name_.size()));
}

Lures::~Lures() {
  for (const int fd : {tcp4_, tcp6_, udp_, unix_, abstract_})
    if (fd >= 0) ::close(fd);
}

std::vector<std::string> Lures::visited() const {
  std::vector<std::string> names;
  const std::vector<std::pair<int, const char*>> all{
      {tcp4_, "tcp4"}, {tcp6_, "tcp6"}, {udp_, "udp"}, {unix_, "unix"}, {abstract_, "abstract"}};
  for (const auto& [fd, name] : all) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (fd >= 0 && ::poll(&ready, 1, 0) == 1) names.emplace_back(name);
  }
  return names;
}

EscapeTest::EscapeTest() : lures_(root_.path()) {
  settings.workspace_root = root() / "ws";
  sandbox::put(outside() / "secret.txt", canary_);
  sandbox::put(outside() / "folder/file.txt", "outside");
  // A neighbour whose name begins like ours, readable for whoever sandboxes run as.
  sandbox::put(root() / "ws/place-10/neighbour.txt", canary_);
  for (const auto& path : {root(), outside(), root() / "ws", root() / "ws/place-10"})
    ::chmod(path.c_str(), 0777);
  for (const auto& file : {outside() / "secret.txt", root() / "ws/place-10/neighbour.txt"})
    ::chmod(file.c_str(), 0666);
  ::setenv("BB_ESCAPE_SECRET", canary_.c_str(), 1);
  outside_before_ = picture_of(outside()) + picture_of(root() / "ws/place-10");
}

EscapeTest::~EscapeTest() {
  ::unsetenv("BB_ESCAPE_SECRET");
}

void EscapeTest::begin() {
  if (box_) return;
  if (!sandboxes_) {
    sandboxes_.emplace(settings, Log::none(), metrics_);
    place_.emplace(*sandboxes_, "place-1", Log::none(), network);
  }
  box_.emplace(Log::none(), metrics_, tools::GrantTable({}, true));
  box_->offer(tools::make_core_tools(*place_, shell_, {}));
}

void EscapeTest::allow(definitions::Shell shell) {
  shell.enabled = true;
  shell_ = std::move(shell);
  box_.reset();
}

std::string EscapeTest::call(std::string tool, json::value arguments) {
  begin();
  llm::ToolCall wish{.id = "1", .name = std::move(tool), .arguments = std::move(arguments)};
  bool fatal = false;
  auto result = test::run_task(ioc_, box_->call(std::move(wish), Deadline::in(60s), fatal), 120s);
  EXPECT_FALSE(fatal);
  answers_.push_back(result.content);
  return result.content;
}

std::size_t EscapeTest::processes_inside() {
  const auto box = test::run_task(ioc_, place_->sandbox());
  return test::run_task(ioc_, box->measure()).processes;
}

std::vector<std::string> EscapeTest::marked_processes() const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos ||
        name == std::to_string(::getpid()))
      continue;
    for (const auto* file : {"cmdline", "comm", "environ"}) {
      auto text = sandbox::got(entry.path() / file);
      std::ranges::replace(text, '\0', ' ');
      if (text.find(marker_) != std::string::npos) found.push_back(name + " " + text);
    }
  }
  return found;
}

void EscapeTest::TearDown() {
  if (place_) test::run_task(ioc_, place_->close(), 60s);
  EXPECT_THAT(marked_processes(), ::testing::IsEmpty());
  // Our own children: sandboxes are, and whoever fled from one would not be.
  EXPECT_EQ(sandbox::got(fmt::format("/proc/self/task/{}/children", ::getpid())), "");
  EXPECT_EQ(picture_of(outside()) + picture_of(root() / "ws/place-10"), outside_before_);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(root() / "ws"))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::ElementsAre("place-10"));
  EXPECT_THAT(lures_.visited(), ::testing::IsEmpty());
  for (const auto& answer : answers_)
    EXPECT_THAT(answer, ::testing::Not(::testing::HasSubstr(canary_)));
}

}  // namespace botburrow::escape
