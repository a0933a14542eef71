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
  if (of_another_type_) return "hub_key";
  return rule_.closed_because(hub_.key_standing(), clock_.now());
}

Task<> HubGate::ask() {
  note(co_await hub_.check_key(Deadline::in(kQuestionTime)));
}

void HubGate::note(const hubapi::KeyAnswer& answer) {
  if (answer.standing == KeyStanding::unknown) return;
  const bool accepted = answer.standing == KeyStanding::accepted;
  of_another_type_ = accepted && !answer.reason.empty() && !hub_.has_agent_keys();
  if (!accepted) return say_refused(answer, "nothing is claimed until the Hub takes the key");
  if (of_another_type_) {
    return say_refused(answer,
                       "the Hub knows the key, but it may not act for agents: nothing is claimed");
  }
  pause_ = kPauseMin;
  if (std::exchange(said_refused_, false)) log_.info("hub_key_accepted");
}

void HubGate::say_refused(const hubapi::KeyAnswer& answer, const char* message) {
  said_refused_ = true;
  if (!trouble_.allow(clock_.now())) return;
  log_.error(
      "hub_auth_error",
      {{"error", answer.reason}, {"setting", "HUB_API_KEY"}, {"fix", kFix}, {"msg", message}});
}

std::chrono::nanoseconds HubGate::next_pause() {
  const auto pause = pause_;
  pause_ = std::min<std::chrono::nanoseconds>(pause_ * 2, kPauseMax);
  return random_.jitter(pause, 0.2);
}

}  // namespace botburrow::runner
