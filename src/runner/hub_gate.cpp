#include "runner/hub_gate.hpp"

#include <algorithm>

namespace botburrow::runner {

using hubapi::KeyStanding;
using namespace std::chrono_literals;

namespace {

constexpr auto kQuestionTime = 5s;
constexpr auto kPauseMin = 1s;
constexpr auto kPauseMax = 5s;
constexpr auto kNotePeriod = 60s;
constexpr const char* kFix =
    "set HUB_API_KEY to a key of type service that this Hub knows (POST /api/v1/keys makes one) "
    "and start the runner anew";

}  // namespace

std::optional<std::string> HubGateRule::closed_because(KeyStanding standing, Instant now) const {
  if (standing == KeyStanding::refused) return "hub_key";
  if (standing == KeyStanding::unknown && now < patience_ends_) return "hub";
  return std::nullopt;
}

HubGate::HubGate(hubapi::HubClient& hub, std::chrono::nanoseconds patience, Clock& clock,
                 Random& random, Log log)
    : hub_(hub),
      clock_(clock),
      random_(random),
      log_(std::move(log)),
      rule_(clock.now(), patience),
      pause_(kPauseMin),
      trouble_(kNotePeriod) {}

std::optional<std::string> HubGate::closed_because() const {
  return rule_.closed_because(hub_.key_standing(), clock_.now());
}

Task<> HubGate::ask() {
  note(co_await hub_.check_key(Deadline::in(kQuestionTime)));
}

void HubGate::note(const hubapi::KeyAnswer& answer) {
  if (answer.standing == KeyStanding::refused) {
    said_refused_ = true;
    if (trouble_.allow(clock_.now())) {
      log_.error("hub_auth_error", {{"error", answer.reason},
                                    {"setting", "HUB_API_KEY"},
                                    {"fix", kFix},
                                    {"msg", "nothing is claimed until the Hub takes the key"}});
    }
  }
  if (answer.standing != KeyStanding::accepted) return;
  pause_ = kPauseMin;
  if (std::exchange(said_refused_, false)) log_.info("hub_key_accepted");
  if (!answer.reason.empty()) {
    log_.warning(
        "hub_auth_error",
        {{"error", answer.reason},
         {"setting", "HUB_API_KEY"},
         {"fix", kFix},
         {"msg", "the Hub knows the key, but it may act only for the agent it belongs to"}});
  }
}

std::chrono::nanoseconds HubGate::next_pause() {
  const auto pause = pause_;
  pause_ = std::min<std::chrono::nanoseconds>(pause_ * 2, kPauseMax);
  return random_.jitter(pause, 0.2);
}

}  // namespace botburrow::runner
