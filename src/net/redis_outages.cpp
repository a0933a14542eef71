#include "net/redis_outages.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>

#include <algorithm>
#include <map>

namespace botburrow::net {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::nanoseconds kPauseMin = 1s;
constexpr std::chrono::nanoseconds kPauseMax = 60s;

class Outages final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Outages(asio::execution_context& context) : service(context) {}
  RedisOutage& of(const std::string& url) { return by_url_[url]; }

 private:
  void shutdown() noexcept override {}
  std::map<std::string, RedisOutage> by_url_;  // as many as the settings name servers
};

}  // namespace

RedisOutage::Told RedisOutage::told(Instant now) const {
  return {.attempts = attempts_, .seconds = std::chrono::duration<double>(now - begun_).count()};
}

std::optional<RedisOutage::Told> RedisOutage::failed(std::string_view reason, Instant now) {
  const bool first = attempts_++ == 0;
  if (first) begun_ = now;
  const bool news = first || reason != reason_;
  if (!first && now - line_at_ < (news ? kPauseMin : pause_)) return std::nullopt;
  pause_ = news ? kPauseMin : std::min(pause_ * 2, kPauseMax);
  line_at_ = now;
  reason_ = reason;
  return told(now);
}

std::optional<RedisOutage::Told> RedisOutage::ended(Instant now) {
  if (attempts_ == 0) return std::nullopt;
  const auto all = told(now);
  *this = {};
  return all;
}

RedisOutage& outage_of(const asio::any_io_executor& executor, const std::string& url) {
  auto& context = asio::query(executor, asio::execution::context);
  return asio::use_service<Outages>(context).of(url);
}

}  // namespace botburrow::net
