#include "tests/support/sentinel_cluster.hpp"

#include "base/error.hpp"
#include "net/resp.hpp"

#include <fmt/format.h>

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace botburrow::test {
namespace {

using namespace std::chrono_literals;
using net::UniqueFd;

constexpr std::string_view kName = "house";

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, size) != 0 || ::getsockname(socket.get(), generic, &size) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

Error away(const std::string& what) {
  return Error(errc::redis_unavailable, "sentinel: " + what);
}

net::RedisReply ask_port(int port, const std::vector<std::string>& words) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  auto address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw away("connect");
  std::string bytes;
  net::append_command(bytes, words);
  if (::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size()))
    throw away("send");
  net::RespReader reader(1u << 20);
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    if (auto* reply = reader.next()) return std::move(*reply);
    const auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) throw away("no reply");
    reader.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
}

// None of these servers tells anybody when it is so far.
void poll_until(const std::string& what, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("never came: " + what);
    ::poll(nullptr, 0, 5);
  }
}

void kill9(net::SpawnedChild& child) {
  if (child.pid < 0) return;
  ::kill(child.pid, SIGKILL);
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
  child = {};
}

std::vector<std::string> server_words(const std::string& password) {
  std::vector<std::string> words = {"--repl-diskless-sync-delay", "0"};
  if (!password.empty()) words.insert(words.end(), {"--masterauth", password});
  return words;
}

}  // namespace

SentinelCluster::SentinelCluster(Options options) : options_(std::move(options)) {
  const auto words = server_words(options_.password);
  first_ = std::make_unique<PrivateRedis>(PrivateRedis::Options{.appendonly = options_.appendonly,
                                                                .tcp = true,
                                                                .password = options_.password,
                                                                .extra = words});
  auto following = words;
  following.insert(following.end(), {"--replicaof", fmt::format("127.0.0.1 {}", first_->port())});
  second_ = std::make_unique<PrivateRedis>(PrivateRedis::Options{.appendonly = options_.appendonly,
                                                                 .tcp = true,
                                                                 .password = options_.password,
                                                                 .extra = following});
  poll_until("the replica has the data", [&] {
    return second_->ask({"INFO", "replication"}).str().find("master_link_status:up") !=
           std::string::npos;
  });
  for (std::size_t i = 0; i < sentinels_.size(); ++i)
    start_sentinel(sentinels_[i], i);
  for (const auto& sentinel : sentinels_)
    poll_until("the sentinels know each other", [&] { return knows_all(sentinel); });
}

SentinelCluster::~SentinelCluster() {
  for (auto& sentinel : sentinels_)
    kill9(sentinel.child);
}

void SentinelCluster::start_sentinel(Sentinel& sentinel, std::size_t number) {
  sentinel.port = free_port();
  const auto file = first_->folder() / fmt::format("sentinel{}.conf", number);
  std::ofstream out(file);
  out << fmt::format(
      "port {}\nbind 127.0.0.1\ndir {}\nlogfile {}.log\n"
      "sentinel monitor {} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {} 300\n"
      "sentinel failover-timeout {} 3000\n",
      sentinel.port, first_->folder().string(), file.string(), kName, first_->port(), kName, kName);
  if (!options_.password.empty())
    out << fmt::format("sentinel auth-pass {} {}\n", kName, options_.password);
  out.close();
  net::ProcessOptions process;
  process.argv = {"redis-server", file.string(), "--sentinel"};
  process.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  process.die_with_parent = true;
  sentinel.child = net::spawn_child(process);
}

bool SentinelCluster::knows_all(const Sentinel& sentinel) const {
  try {
    const auto state = ask_port(sentinel.port, {"SENTINEL", "MASTER", std::string(kName)});
    const auto& fields = state.array();
    int known = 0;
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      const auto& name = fields[i].str();
      const auto& value = fields[i + 1].str();
      known += (name == "num-slaves" && value == "1") ? 1 : 0;
      known += (name == "num-other-sentinels" && value == "2") ? 1 : 0;
    }
    return known == 2;
  } catch (const Error&) {
    return false;
  }
}

std::string SentinelCluster::url() const {
  return fmt::format("redis+sentinel://{}127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}/{}",
                     options_.password.empty() ? "" : ":" + options_.password + "@",
                     sentinels_[0].port, sentinels_[1].port, sentinels_[2].port, kName);
}

net::RedisReply SentinelCluster::ask_any(std::vector<std::string> words) const {
  for (const auto& sentinel : sentinels_) {
    if (sentinel.child.pid >= 0) return ask_port(sentinel.port, words);
  }
  throw away("none is left");
}

PrivateRedis& SentinelCluster::master() {
  const auto named = ask_any({"SENTINEL", "get-master-addr-by-name", std::string(kName)});
  return named.array().at(1).str() == std::to_string(first_->port()) ? *first_ : *second_;
}
PrivateRedis& SentinelCluster::other() {
  return &master() == first_.get() ? *second_ : *first_;
}

void SentinelCluster::fail_over() {
  // Refused until the replica has answered them often enough to be trusted with it.
  poll_until("the fail-over is begun", [&] {
    const auto reply = ask_any({"SENTINEL", "FAILOVER", std::string(kName)});
    return std::holds_alternative<net::RedisReply::Status>(reply.value);
  });
}

void SentinelCluster::kill_sentinel(std::size_t which) {
  kill9(sentinels_.at(which).child);
}

}  // namespace botburrow::test
