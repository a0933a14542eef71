#include "net/redis.hpp"

#include "net/redis_impl.hpp"

#include <fmt/format.h>

namespace botburrow::net {
namespace {

// The server answers nothing to an empty command, which would shift all later replies.
void require_words(const Redis::Args& args) {
  if (args.empty()) throw Error(errc::invalid_argument, "redis: a command without words");
}

RedisReply whole(RedisReply reply, std::string_view name) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value)) {
    throw server_error(failure->text, name);
  }
  return reply;
}

}  // namespace

Redis::Redis(boost::asio::any_io_executor executor, RedisAddress address, Options options, Log log,
             Random& random)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(address), std::move(options),
                                   std::move(log), random)) {}

Redis::~Redis() {
  impl_->abandon();
}

void Redis::start() {
  impl_->start();
}
Task<> Redis::stop() {
  return impl_->stop();
}

bool Redis::connected() const {
  return impl_->connection != nullptr;
}
bool Redis::usable() const {
  return connected() && !impl_->distrust;
}
std::string Redis::last_error() const {
  return impl_->connection && impl_->distrust ? impl_->distrust->text : impl_->last_error;
}
std::uint64_t Redis::connections() const {
  return impl_->connections;
}
Redis::Version Redis::server_version() const {
  return impl_->version;
}

Task<> Redis::ready(Deadline deadline) {
  const auto impl = impl_;
  if (impl->connection) co_return;
  RedisWaiter waiter{.deadline = deadline};
  co_await impl->finish(waiter);
}

Task<RedisReply> Redis::command(Args args) {
  return command(std::move(args), Deadline::in(impl_->options.command_timeout));
}

Task<RedisReply> Redis::command(Args args, Deadline deadline) {
  const auto impl = impl_;
  require_words(args);
  const RedisCommand request(args);
  RedisReply reply;
  RedisWaiter waiter{.request = &request, .into = &reply, .deadline = deadline};
  co_await impl->finish(waiter);
  co_return whole(std::move(reply), request.name());
}

Task<RedisReply> Redis::eval(const RedisScript& script, Args keys, Args args) {
  return eval(script, std::move(keys), std::move(args),
              Deadline::in(impl_->options.command_timeout));
}

Task<RedisReply> Redis::eval(const RedisScript& script, Args keys, Args args, Deadline deadline) {
  const auto impl = impl_;
  for (const bool by_name : {true, false}) {
    const RedisEval request(script, by_name, keys, args);
    RedisReply reply;
    RedisWaiter waiter{.request = &request, .into = &reply, .deadline = deadline};
    co_await impl->finish(waiter);
    const auto* failure = std::get_if<RedisReply::Failure>(&reply.value);
    // Not known there yet, or no more: nothing has run, and EVAL teaches it.
    if (by_name && failure && fault_of(failure->text) == RedisFault::no_script) continue;
    co_return whole(std::move(reply), request.name());
  }
  co_return RedisReply{};
}

Task<std::vector<RedisReply>> Redis::pipeline(std::vector<Args> commands, Deadline deadline) {
  const auto impl = impl_;
  for (const auto& command : commands)
    require_words(command);
  std::vector<RedisReply> replies(commands.size());
  if (commands.empty()) co_return replies;
  const RedisPipeline request(commands);
  RedisWaiter waiter{.request = &request, .into = replies.data(), .deadline = deadline};
  co_await impl->finish(waiter);
  co_return replies;
}

}  // namespace botburrow::net
