#pragma once

#include "base/error.hpp"
#include "base/time.hpp"
#include "net/redis.hpp"
#include "net/resp.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace botburrow::net {

/// Something to ask a server. It may be written more than once: again after a reconnect, when it
/// was not sent before.
class RedisRequest {
 public:
  virtual ~RedisRequest() = default;
  virtual void append_to(std::string& out) const = 0;
  virtual std::size_t replies() const { return 1; }
  /// For messages: the command's name, never its arguments.
  virtual std::string_view name() const = 0;
};

class RedisCommand final : public RedisRequest {
 public:
  explicit RedisCommand(const Redis::Args& args) : args_(args) {}
  void append_to(std::string& out) const override { append_command(out, args_); }
  std::string_view name() const override { return args_.front(); }

 private:
  const Redis::Args& args_;
};

/// EVALSHA by the script's name, or EVAL with its text.
class RedisEval final : public RedisRequest {
 public:
  RedisEval(const RedisScript& script, bool by_name, const Redis::Args& keys,
            const Redis::Args& args)
      : script_(script), by_name_(by_name), keys_(keys), args_(args) {}
  void append_to(std::string& out) const override {
    append_array_head(out, 3 + keys_.size() + args_.size());
    append_bulk(out, name());
    append_bulk(out, by_name_ ? script_.sha() : script_.text());
    append_bulk(out, std::to_string(keys_.size()));
    for (const auto& key : keys_)
      append_bulk(out, key);
    for (const auto& arg : args_)
      append_bulk(out, arg);
  }
  std::string_view name() const override { return by_name_ ? "EVALSHA" : "EVAL"; }

 private:
  const RedisScript& script_;
  bool by_name_;
  const Redis::Args& keys_;
  const Redis::Args& args_;
};

class RedisPipeline final : public RedisRequest {
 public:
  explicit RedisPipeline(const std::vector<Redis::Args>& commands) : commands_(commands) {}
  void append_to(std::string& out) const override {
    for (const auto& command : commands_)
      append_command(out, command);
  }
  std::size_t replies() const override { return commands_.size(); }
  std::string_view name() const override { return "pipeline"; }

 private:
  const std::vector<Redis::Args>& commands_;
};

/// One coroutine that waits for replies, or for the connection alone. It lives in that coroutine's
/// frame, and the client points to it until it is done.
struct RedisWaiter {
  enum class State {
    idle,
    queued,    ///< not in the output of this connection
    appended,  ///< in the output; whether it was written its number tells
    done,      ///< the client knows it no more
  };

  const RedisRequest* request = nullptr;  ///< null: waits for the connection
  RedisReply* into = nullptr;             ///< where the next reply goes
  Deadline deadline = Deadline::never();
  State state = State::idle;
  std::uint64_t number = 0;  ///< place in the output, once appended
  bool cancelled = false;
  bool probe = false;  ///< a question of our own, which the server's user need not be allowed
  std::unique_ptr<Error> failure;
  std::move_only_function<void()> resume;
  RedisWaiter* previous = nullptr;
  RedisWaiter* next = nullptr;

  std::string_view name() const { return request ? request->name() : "connect"; }
};

/// Waiters in the order they came; owns none of them.
class RedisWaiterList {
 public:
  void push_back(RedisWaiter& waiter) {
    waiter.previous = last_;
    waiter.next = nullptr;
    (last_ ? last_->next : first_) = &waiter;
    last_ = &waiter;
  }
  void remove(RedisWaiter& waiter) {
    (waiter.previous ? waiter.previous->next : first_) = waiter.next;
    (waiter.next ? waiter.next->previous : last_) = waiter.previous;
  }
  RedisWaiter* first() const { return first_; }

 private:
  RedisWaiter* first_ = nullptr;
  RedisWaiter* last_ = nullptr;
};

}  // namespace botburrow::net
