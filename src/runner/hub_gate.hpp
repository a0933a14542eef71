#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "hubapi/client.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace botburrow::runner {

/// The rule: whether work may be claimed, by what the Hub says of our key.
///
/// A key that is refused would only carry item after item into the same refusal, so nothing is
/// claimed until the Hub takes it. So does a key that the Hub knows and that may not act for
/// agents, unless they have keys of their own (AGENT_KEYS). A Hub that cannot be asked has refused
/// nothing: after `patience` from the start work is claimed all the same, and handed back uncounted
/// where the Hub stays away.
class HubGateRule {
 public:
  explicit HubGateRule(Instant start, std::chrono::nanoseconds patience)
      : patience_ends_(start + patience) {}
  /// "hub_key": the Hub refuses our key. "hub": it has not been heard yet. Nothing: claim.
  std::optional<std::string> closed_because(hubapi::KeyStanding standing, Instant now) const;

 private:
  Instant patience_ends_;
};

/// Asks the Hub whether it takes this runner's key, at the start and whenever it has refused it.
class HubGate {
 public:
  HubGate(hubapi::HubClient& hub, std::chrono::nanoseconds patience, Clock& clock, Random& random,
          Log log);

  /// Whether work may be claimed now.
  bool open() const { return !closed_because(); }
  std::optional<std::string> closed_because() const;
  /// One question to the Hub, at most 5 s long. Logs `hub_auth_error` with the setting and the fix,
  /// at first and each minute, and `hub_key_accepted` once it is well.
  Task<> ask();
  /// How long to wait before the next question: 1 s at first, 5 s at most.
  std::chrono::nanoseconds next_pause();

 private:
  void note(const hubapi::KeyAnswer& answer);
  void say_refused(const hubapi::KeyAnswer& answer, const char* message);

  hubapi::HubClient& hub_;
  Clock& clock_;
  Random& random_;
  Log log_;
  HubGateRule rule_;
  std::chrono::nanoseconds pause_;
  LogThrottle trouble_;
  bool said_refused_ = false;
  bool of_another_type_ = false;  // the Hub knows the key, which may not act for agents
};

}  // namespace botburrow::runner
