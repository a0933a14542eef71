#pragma once

#include "base/error.hpp"
#include "base/random.hpp"
#include "net/redis.hpp"
#include "tests/support/run_task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace botburrow::net {

/// A connection on the test's own io_context, with the lines it logs.
class ClientOn {
 public:
  struct Lines final : LogSink {
    void write(LogLevel, std::string_view line) override { all.emplace_back(line); }
    int count(std::string_view part) const {
      int found = 0;
      for (const auto& line : all)
        found += line.find(part) != std::string::npos ? 1 : 0;
      return found;
    }
    std::vector<std::string> all;
  };

  ClientOn(boost::asio::io_context& ioc, const std::string& url, Redis::Options options = {})
      : ioc_(ioc),
        redis_(ioc.get_executor(), parse_redis_url(url), std::move(options), Log(lines, {}),
               random_) {
    redis_.start();
  }
  ~ClientOn() {
    test::run_task(ioc_, redis_.stop());
    ioc_.poll();
  }
  Redis& operator*() { return redis_; }
  Redis* operator->() { return &redis_; }

  void wait_connected() {
    test::run_task(ioc_, redis_.ready(Deadline::in(std::chrono::seconds(20))));
  }
  bool wait(const std::function<bool()>& condition) { return test::run_until(ioc_, condition); }
  RedisReply ask(Redis::Args args) {
    return test::run_task(ioc_,
                          redis_.command(std::move(args), Deadline::in(std::chrono::seconds(20))));
  }
  /// The error that `args` ends with.
  Error refused(Redis::Args args, std::chrono::nanoseconds within = std::chrono::seconds(10)) {
    try {
      test::run_task(ioc_, redis_.command(std::move(args), Deadline::in(within)));
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return Error(errc::internal, "no error");
  }
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();

 private:
  boost::asio::io_context& ioc_;
  SeededRandom random_{1};
  Redis redis_;
};

}  // namespace botburrow::net
