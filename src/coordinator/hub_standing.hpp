#pragma once

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "hubapi/client.hpp"

#include <optional>
#include <string>

namespace botburrow::coordinator {

/// The rule: whether a replica is fit to lead, by what the Hub has answered to it. Fit until the
/// Hub says otherwise: a Hub that is away for all is nobody's fault, and a queue without a leader
/// has nobody who takes back what dead runners held.
class HubStandingRule {
 public:
  void heard(const hubapi::KeyAnswer& answer);
  /// The Hub knows no such key (401), or it is not of a coordinator's type (403).
  bool refused() const { return refused_; }
  /// The Hub took the key when it was asked last.
  bool fit() const { return accepted_; }
  /// Why another should lead; nothing while there is no reason.
  std::optional<std::string> unfit_because() const;

 private:
  bool refused_ = false;
  bool accepted_ = false;
  int unheard_ = 0;  // questions in a row that were not answered
};

/// The rule: whether this replica's Hub is another than the leader's, so that two clusters work in
/// one Redis. Each would take the other's agents for strangers, and begin a generation of its own
/// whenever it comes to lead. Both sides are looked at again and again, for a Hub's data set
/// changes now and then; and a verdict outlives the leader, for the time that its successors may
/// take.
class OtherHubRule {
 public:
  /// What the leader said of its Hub (nothing: it says nothing) and what ours said.
  void saw(const std::optional<std::string>& leaders, const std::optional<std::string>& ours,
           Instant now);
  bool other(Instant now) const;

 private:
  int differing_ = 0;  // looks in a row
  std::optional<Instant> seen_;
};

/// Asks the Hub, of a follower too, whether it takes this replica's key: every five seconds.
class HubStanding {
 public:
  HubStanding(hubapi::HubClient& hub, Clock& clock, Random& random, Log log);
  /// Runs until cancelled. Logs `hub_auth_error` with the setting and the fix, at first and each
  /// minute, and `hub_key_accepted` once it is well.
  Task<> loop();

  bool refused() const;
  bool fit() const { return rule_.fit() && !refused(); }
  std::optional<std::string> unfit_because() const;
  /// The data set that the Hub named last; nothing where it has none or was not heard.
  const std::optional<std::string>& dataset() const { return dataset_; }

 private:
  void note(const hubapi::KeyAnswer& answer);

  hubapi::HubClient& hub_;
  Clock& clock_;
  Random& random_;
  Log log_;
  HubStandingRule rule_;
  std::optional<std::string> dataset_;
  LogThrottle trouble_;
  bool said_refused_ = false;
};

}  // namespace botburrow::coordinator
