#include "tests/support/private_redis.hpp"

#include "base/error.hpp"
#include "net/resp.hpp"
#include "tests/support/free_port.hpp"

#include <fmt/format.h>

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace botburrow::test {
namespace {

using namespace std::chrono_literals;
using net::UniqueFd;

std::filesystem::path make_folder() {
  const char* base = std::getenv("TMPDIR");
  std::string path =
      std::string(base && std::strlen(base) < 60 ? base : "/tmp") + "/bb-redis-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    throw std::runtime_error("mkdtemp " + path + ": " + std::strerror(errno));
  return path;
}

UniqueFd connect_to(const std::string& path) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw Error(errc::redis_unavailable,
                "private redis: connect: " + std::string(std::strerror(errno)));
  }
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return socket;
}

std::vector<net::RedisReply> exchange(int socket,
                                      const std::vector<std::vector<std::string>>& commands) {
  std::string bytes;
  for (const auto& command : commands)
    net::append_command(bytes, command);
  for (std::string_view left = bytes; !left.empty();) {
    const auto put = ::send(socket, left.data(), left.size(), MSG_NOSIGNAL);
    if (put <= 0) throw Error(errc::redis_unavailable, "private redis: send failed");
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  net::RespReader reader(256u << 20);
  std::vector<net::RedisReply> replies;
  std::array<char, 16 * 1024> buffer;
  while (replies.size() < commands.size()) {
    if (auto* reply = reader.next()) {
      replies.push_back(std::move(*reply));
      continue;
    }
    const auto got = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (got <= 0) throw Error(errc::redis_unavailable, "private redis: no reply");
    reader.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
  return replies;
}

}  // namespace

PrivateRedis::PrivateRedis(Options options) : options_(std::move(options)), folder_(make_folder()) {
  if (options_.tcp) port_ = free_port();
  start();
}

PrivateRedis::~PrivateRedis() {
  kill9();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string PrivateRedis::url() const {
  const std::string who = options_.password.empty() ? "" : ":" + options_.password + "@";
  return "unix://" + who + (folder_ / "redis.sock").string();
}

std::string PrivateRedis::tcp_url() const {
  const std::string who = options_.password.empty() ? "" : ":" + options_.password + "@";
  return fmt::format("redis://{}127.0.0.1:{}", who, port_);
}

void PrivateRedis::start() {
  net::ProcessOptions process;
  process.argv = {"redis-server",
                  "--port",
                  std::to_string(port_),
                  "--bind",
                  "127.0.0.1",
                  "--unixsocket",
                  (folder_ / "redis.sock").string(),
                  "--dir",
                  folder_.string(),
                  "--logfile",
                  (folder_ / "redis.log").string(),
                  "--save",
                  "",
                  "--appendonly",
                  options_.appendonly ? "yes" : "no",
                  "--appendfsync",
                  "always"};
  if (!options_.password.empty()) {
    process.argv.insert(process.argv.end(), {"--requirepass", options_.password});
  }
  process.argv.insert(process.argv.end(), options_.extra.begin(), options_.extra.end());
  process.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  process.environment.insert(process.environment.end(), options_.environment.begin(),
                             options_.environment.end());
  process.die_with_parent = true;
  child_ = net::spawn_child(process);
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!answers()) {
    pollfd ended{.fd = child_.pidfd.get(), .events = POLLIN, .revents = 0};
    // The server tells nobody when it listens; its end ends this wait too.
    if (::poll(&ended, 1, 2) == 1)
      throw std::runtime_error("redis-server ended at its start: " + log_tail());
    if (std::chrono::steady_clock::now() > end)
      throw std::runtime_error("redis-server not ready: " + log_tail());
  }
}

bool PrivateRedis::answers() const {
  try {
    ask({"PING"});
    return true;
  } catch (const Error&) {
    return false;
  }
}

void PrivateRedis::kill9() {
  if (child_.pid < 0) return;
  ::kill(child_.pid, SIGKILL);
  siginfo_t ignored{};
  while (::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.get()), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
  child_ = {};
}

// Writes go on meanwhile: at worst the last of them is cut in two, which the server bears.
void PrivateRedis::keep() {
  std::filesystem::remove_all(kept());
  std::filesystem::copy(data(), kept(), std::filesystem::copy_options::recursive);
}

void PrivateRedis::restore() {
  kill9();
  std::filesystem::remove_all(data());
  if (std::filesystem::exists(kept())) std::filesystem::rename(kept(), data());
  start();
}

void PrivateRedis::freeze() {
  if (child_.pid > 0) ::kill(child_.pid, SIGSTOP);
}
void PrivateRedis::thaw() {
  if (child_.pid > 0) ::kill(child_.pid, SIGCONT);
}

void PrivateRedis::flush() {
  ask({"FLUSHALL"});
  ask({"SCRIPT", "FLUSH"});
}

net::RedisReply PrivateRedis::ask(std::vector<std::string> args) const {
  const UniqueFd socket = connect_to((folder_ / "redis.sock").string());
  std::vector<std::vector<std::string>> commands;
  if (!options_.password.empty()) commands.push_back({"AUTH", options_.password});
  const std::string name = args.front();
  commands.push_back(std::move(args));
  auto reply = std::move(exchange(socket.get(), commands).back());
  if (const auto* failure = std::get_if<net::RedisReply::Failure>(&reply.value)) {
    throw net::server_error(failure->text, name);
  }
  return reply;
}

std::string PrivateRedis::log_tail() const {
  std::ifstream in(folder_ / "redis.log");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  return text.size() > 1000 ? text.substr(text.size() - 1000) : text;
}

}  // namespace botburrow::test
