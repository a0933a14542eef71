#include "console/kept_history.hpp"

#include "base/deadline.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace botburrow::console {
namespace {

using namespace std::chrono_literals;

constexpr const char* kKey = "console:history";
constexpr auto kTime = 2s;
constexpr std::size_t kFields = 10;
constexpr std::size_t kElementBytesMax = 400;

std::int64_t minute_of(const Sample& sample) {
  return static_cast<std::int64_t>(std::floor(sample.at / 60));
}

}  // namespace

std::optional<Sample> MinuteSamples::add(const Sample& sample) {
  std::optional<Sample> ended;
  if (minute_ && minute_of(*minute_) != minute_of(sample)) {
    if (minute_->known) ended = minute_;
    minute_.reset();
  }
  if (!minute_) minute_ = Sample{.known = false};
  raise(*minute_, sample);
  return ended;
}

std::string encode(const Sample& s) {
  const auto age = [](double seconds) { return std::round(seconds * 10) / 10; };
  return fmt::format("[{},{},{},{},{},{},{},{},{},{}]", std::floor(s.at), s.depth[0], s.depth[1],
                     s.depth[2], age(s.oldest[0]), age(s.oldest[1]), age(s.oldest[2]), s.running,
                     s.held_off, s.dead);
}

std::optional<Sample> decode_sample(std::string_view text) {
  if (text.size() > kElementBytesMax) return std::nullopt;
  const auto document = try_parse_json(text);
  if (!document || !document->is_array() || document->as_array().size() != kFields)
    return std::nullopt;
  std::array<double, kFields> n{};
  for (std::size_t i = 0; i < kFields; ++i) {
    const auto& value = document->as_array()[i];
    if (!value.is_number()) return std::nullopt;
    n[i] = value.to_number<double>();
    if (!std::isfinite(n[i]) || n[i] < 0) return std::nullopt;
  }
  return Sample{.at = n[0],
                .depth = {n[1], n[2], n[3]},
                .oldest = {n[4], n[5], n[6]},
                .running = n[7],
                .held_off = n[8],
                .dead = n[9]};
}

Task<std::vector<Sample>> KeptHistory::load() {
  const auto reply = co_await redis_.command({"LRANGE", kKey, "0", fmt::to_string(kMinutes - 1)},
                                             Deadline::in(kTime));
  std::vector<Sample> samples;
  for (const auto& element : reply.array()) {
    if (const auto sample = decode_sample(element.str())) samples.push_back(*sample);
  }
  // Two leaders may have overlapped, and their clocks may differ.
  std::ranges::stable_sort(samples, {}, &Sample::at);
  co_return samples;
}

Task<> KeptHistory::add(Sample minute) {
  const auto seconds = fmt::to_string(kMinutes * 60);
  std::vector<net::Redis::Args> commands{{"LPUSH", kKey, encode(minute)},
                                         {"LTRIM", kKey, "0", fmt::to_string(kMinutes - 1)},
                                         {"EXPIRE", kKey, seconds}};
  co_await redis_.pipeline(std::move(commands), Deadline::in(kTime));
}

}  // namespace botburrow::console
