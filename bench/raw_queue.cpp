// The yardstick: what a Redis server can do with our scripts, driven by the barest client there is
// (sockets, epoll, hiredis' parser). Prints one JSON line.
//
//   bench_raw_queue PORT MODE CLIENTS IN_FLIGHT COUNT
//
// CLIENTS connections, IN_FLIGHT commands outstanding on each. Modes:
//   enqueue     COUNT items, one a call
//   drain       claims once, then completes and claims the next in one call, as a runner does,
//   until
//               nothing is left
//   wakeup      COUNT times: LPUSH on one connection until BRPOP on another has answered
//   scripts     loads the scripts and prints their names by SHA-1, for redis-benchmark
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/time.hpp"
#include "net/resp.hpp"
#include "net/unique_fd.hpp"
#include "queue/item_text.hpp"
#include "queue/results.hpp"
#include "queue/scripts.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace botburrow;
using net::RedisReply;
using Seconds = std::chrono::duration<double>;
using Words = std::vector<std::string>;

[[noreturn]] void fail(const char* what) {
  throw Error(errc::io, fmt::format("{}: {}", what, std::strerror(errno)));
}

net::UniqueFd connect_to(int port) {
  net::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// What is asked, one after another, in one place of a pipeline.
class Chain {
 public:
  virtual ~Chain() = default;
  /// Appends the next command; false: there is none.
  virtual bool ask(std::string& out) = 0;
  virtual void hear(const RedisReply& reply) = 0;
};

class Connection {
 public:
  explicit Connection(int port) : fd_(connect_to(port)) {}
  int fd() const { return fd_.get(); }
  bool idle() const { return owed_.empty(); }

  void ask(Chain& chain) {
    if (chain.ask(out_)) owed_.push_back(&chain);
  }
  void write() {
    for (std::string_view rest = out_; !rest.empty();) {
      const auto put = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (put <= 0) fail("send");
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    out_.clear();
  }
  /// Reads what is there, and asks on.
  void serve() {
    read();
    while (const auto* reply = reader_.next()) {
      Chain& chain = *owed_.front();
      owed_.pop_front();
      chain.hear(checked(*reply));
      ask(chain);
    }
    write();
  }
  /// One command and its reply.
  RedisReply call(const Words& words) {
    net::append_command(out_, words);
    write();
    for (;;) {
      if (auto* reply = reader_.next()) return checked(std::move(*reply));
      read();
    }
  }

 private:
  void read() {
    const auto got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
    if (got <= 0) fail("recv");
    reader_.feed({buffer_.data(), static_cast<std::size_t>(got)});
  }
  template <class Reply>
  static Reply&& checked(Reply&& reply) {
    if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value))
      throw Error(errc::redis_error, failure->text);
    return std::forward<Reply>(reply);
  }

  net::UniqueFd fd_;
  net::RespReader reader_{64u << 20};
  std::array<char, 64 * 1024> buffer_;
  std::string out_;
  std::deque<Chain*> owed_;
};

const net::RedisScript& load(Connection& to, const queue::QueueScript& script) {
  // As the product chooses for a server of version 7.
  const auto& text = script.on_version(7);
  to.call({"SCRIPT", "LOAD", text.text()});
  return text;
}

void run(std::vector<std::unique_ptr<Connection>>& connections) {
  const net::UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  for (auto& connection : connections) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection.get()}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, connection->fd(), &event);
    connection->write();
  }
  std::array<epoll_event, 128> events;
  auto busy = connections.size();
  while (busy > 0) {
    const int ready = ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), -1);
    for (const auto& event :
         std::span(events).first(static_cast<std::size_t>(std::max(0, ready)))) {
      auto& connection = *static_cast<Connection*>(event.data.ptr);
      connection.serve();
      busy -= connection.idle() ? 1 : 0;
    }
  }
}

class Enqueue final : public Chain {
 public:
  Enqueue(std::string sha, int& left) : sha_(std::move(sha)), left_(left) {}
  bool ask(std::string& out) override {
    if (left_ == 0) return false;
    const auto agent = fmt::format("bench-{:08}", left_--);
    const auto text = queue::text_of({.agent_id = AgentId(agent),
                                      .agent_name = agent,
                                      .priority = queue::Priority::high,
                                      .inbox_count = 3});
    net::append_command(out, Words{"EVALSHA", sha_, "0", "-", "0", "0", agent, "high", "inbox",
                                   text.head, text.created, text.tail});
    return true;
  }
  void hear(const RedisReply& reply) override {
    if (reply.array().at(0).str() != "ENQUEUED")
      throw Error(errc::protocol, "enqueue answered " + reply.array().at(0).str());
  }

 private:
  std::string sha_;
  int& left_;
};

class Drain final : public Chain {
 public:
  Drain(std::string claim, std::string complete, int number, int& done)
      : claim_(std::move(claim)), complete_(std::move(complete)), number_(number), done_(done) {}

  bool ask(std::string& out) override {
    const auto id = fmt::format("{:08x}-0000-4000-8000-{:012}", number_, asked_);
    Words claim{
        "bench", "hybrid", "10000", "600", "2026-11-22T10:00:00.000Z", "2026-11-22T10:10:00.000Z",
        "1",     id,       "0"};
    if (asked_++ == 0) {
      Words words{"EVALSHA", claim_, "0"};
      words.insert(words.end(), claim.begin(), claim.end());
      net::append_command(out, words);
      return true;
    }
    if (agent_.empty()) return false;
    const auto result = queue::encode({.agent_id = AgentId(agent_),
                                       .agent_name = agent_,
                                       .success = true,
                                       .duration_seconds = 0.000123,
                                       .timestamp = "2026-11-22T10:00:00.000Z",
                                       .activation_id = ActivationId(activation_),
                                       .work_id = WorkId(activation_),
                                       .runner_id = RunnerId("bench"),
                                       .status = "success"});
    Words words{"EVALSHA", complete_, "0", "1",    agent_, activation_, fence_,
                "success", "0",       "",  result, "",     "",          ""};
    words.insert(words.end(), claim.begin(), claim.end());
    net::append_command(out, words);
    return true;
  }
  void hear(const RedisReply& reply) override {
    const bool first = asked_ == 1;
    if (!first) {
      const auto& outcome = reply.array().at(0).array().at(0).array().at(0).str();
      if (outcome != "OK") throw Error(errc::protocol, "complete answered " + outcome);
      ++done_;
    }
    const auto& fields = (first ? reply : reply.array().at(1)).array().at(0).array().at(0).array();
    agent_ = fields.empty() ? "" : fields.at(7).str();
    if (fields.empty()) return;
    fence_ = fields.at(1).str();
    activation_ = fields.at(5).str();
  }

 private:
  std::string claim_, complete_;
  int number_;
  int& done_;
  int asked_ = 0;
  std::string agent_, activation_, fence_;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print(const json::object& figures) {
  std::printf("%s\n", to_json(figures).c_str());
}

struct Plan {
  int port;
  std::string mode;
  int clients, in_flight, count;
};

void throughput(const Plan& plan) {
  Connection first(plan.port);
  const auto& scripts = queue::scripts();
  const auto claim = load(first, scripts.claim).sha();
  const auto complete = load(first, scripts.complete).sha();
  const auto enqueue = load(first, scripts.enqueue).sha();
  first.call({"SETNX", "work:generation", "bench:1"});
  int left = plan.count;
  int done = 0;
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<Chain>> chains;
  for (int i = 0; i < plan.clients; ++i) {
    auto& connection = *connections.emplace_back(std::make_unique<Connection>(plan.port));
    for (int k = 0; k < plan.in_flight; ++k) {
      const auto number = static_cast<int>(chains.size());
      if (plan.mode == "enqueue")
        chains.push_back(std::make_unique<Enqueue>(enqueue, left));
      else
        chains.push_back(std::make_unique<Drain>(claim, complete, number, done));
      connection.ask(*chains.back());
    }
  }
  const auto cpu = cpu_seconds();
  const auto begun = BootClock::now();
  run(connections);
  const double seconds = Seconds(BootClock::now() - begun).count();
  const int count = plan.mode == "enqueue" ? plan.count - left : done;
  print({{"count", count},
         {"seconds", seconds},
         {"per_second", count / seconds},
         {"cpu_seconds", cpu_seconds() - cpu}});
}

// One BRPOP waits; the clock runs from before the LPUSH until its answer has been read.
void wakeup(const Plan& plan) {
  Connection pusher(plan.port), waiter(plan.port);
  struct Wait final : Chain {
    bool ask(std::string& out) override {
      net::append_command(out, Words{"BRPOP", "bench:bell", "5"});
      return true;
    }
    void hear(const RedisReply&) override {}
  };
  std::vector<double> micros;
  for (int i = 0; i < plan.count; ++i) {
    const auto id = std::to_string(i);
    std::string ask;
    net::append_command(ask, Words{"BRPOP", "bench:bell", "5"});
    if (::send(waiter.fd(), ask.data(), ask.size(), MSG_NOSIGNAL) < 0) fail("send");
    // Until it waits there.
    while (pusher.call({"INFO", "clients"}).str().find("blocked_clients:1") == std::string::npos) {
    }
    std::string push;
    net::append_command(push, Words{"LPUSH", "bench:bell", id});
    const auto begun = BootClock::now();
    if (::send(pusher.fd(), push.data(), push.size(), MSG_NOSIGNAL) < 0) fail("send");
    std::array<char, 256> answer;
    if (::recv(waiter.fd(), answer.data(), answer.size(), 0) <= 0) fail("recv");
    micros.push_back(Seconds(BootClock::now() - begun).count() * 1e6);
    if (::recv(pusher.fd(), answer.data(), answer.size(), 0) <= 0) fail("recv");
  }
  std::sort(micros.begin(), micros.end());
  print({{"count", plan.count},
         {"p50_us", micros.at(micros.size() / 2)},
         {"p99_us", micros.at(micros.size() * 99 / 100)}});
}

void names(const Plan& plan) {
  Connection to(plan.port);
  const auto& scripts = queue::scripts();
  print({{"enqueue", load(to, scripts.enqueue).sha()},
         {"claim", load(to, scripts.claim).sha()},
         {"complete", load(to, scripts.complete).sha()}});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: bench_raw_queue PORT enqueue|drain|wakeup|scripts CLIENTS "
                 "IN_FLIGHT COUNT\n");
    return 64;
  }
  const Plan plan{.port = std::atoi(argv[1]),
                  .mode = argv[2],
                  .clients = std::max(1, std::atoi(argv[3])),
                  .in_flight = std::max(1, std::atoi(argv[4])),
                  .count = std::max(1, std::atoi(argv[5]))};
  try {
    if (plan.mode == "wakeup")
      wakeup(plan);
    else if (plan.mode == "scripts")
      names(plan);
    else
      throughput(plan);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_raw_queue: %s\n", error.what());
    return 1;
  }
}
