#include "coordinator/hub_standing.hpp"

#include "base/deadline.hpp"

#include <utility>

namespace botburrow::coordinator {

using hubapi::KeyStanding;
using namespace std::chrono_literals;

namespace {

constexpr auto kQuestionTime = 5s;
constexpr auto kPeriod = 5s;
constexpr auto kPeriodWhenRefused = 2s;
constexpr auto kNotePeriod = 60s;
/// As many could be lost to a restart of the Hub.
constexpr int kUnheardMax = 3;
/// One each five seconds. What the leader says of a new data set may come half a minute late.
constexpr int kDifferingLooks = 6;
/// A restart of all of the other cluster's coordinators is over by then.
constexpr auto kOtherHubKept = 10min;
constexpr const char* kRefused = "the Hub refuses this coordinator's key";
constexpr const char* kFix =
    "set HUB_API_KEY to a key of type service that this Hub knows (POST /api/v1/keys makes one) "
    "and start the coordinator anew";

}  // namespace

void HubStandingRule::heard(const hubapi::KeyAnswer& answer) {
  if (answer.standing == KeyStanding::unknown) {
    ++unheard_;
    accepted_ = false;
    return;
  }
  unheard_ = 0;
  accepted_ = answer.standing == KeyStanding::accepted && answer.reason.empty();
  refused_ = !accepted_;
}

std::optional<std::string> HubStandingRule::unfit_because() const {
  if (refused_) return kRefused;
  if (unheard_ >= kUnheardMax) return "the Hub could not be reached from here";
  return std::nullopt;
}

void OtherHubRule::saw(const std::optional<std::string>& leaders,
                       const std::optional<std::string>& ours, Instant now) {
  if (!leaders || !ours) return;
  if (*leaders == *ours) {
    differing_ = 0;
    seen_.reset();
    return;
  }
  if (++differing_ >= kDifferingLooks) seen_ = now;
}

bool OtherHubRule::other(Instant now) const {
  return seen_ && now - *seen_ < kOtherHubKept;
}

HubStanding::HubStanding(hubapi::HubClient& hub, Clock& clock, Random& random, Log log)
    : hub_(hub), clock_(clock), random_(random), log_(std::move(log)), trouble_(kNotePeriod) {}

// Any call that is answered 401 tells as well, and earlier.
bool HubStanding::refused() const {
  return rule_.refused() || hub_.key_standing() == KeyStanding::refused;
}

std::optional<std::string> HubStanding::unfit_because() const {
  if (refused()) return kRefused;
  return rule_.unfit_because();
}

Task<> HubStanding::loop() {
  for (;;) {
    note(co_await hub_.check_key(Deadline::in(kQuestionTime)));
    co_await sleep_for(random_.jitter(refused() ? kPeriodWhenRefused : kPeriod, 0.2));
  }
}

void HubStanding::note(const hubapi::KeyAnswer& answer) {
  rule_.heard(answer);
  if (answer.standing != KeyStanding::unknown) dataset_ = answer.dataset;
  if (answer.standing == KeyStanding::unknown) return;
  if (!rule_.refused()) {
    if (std::exchange(said_refused_, false)) log_.info("hub_key_accepted");
    return;
  }
  said_refused_ = true;
  if (!trouble_.allow(clock_.now())) return;
  log_.error("hub_auth_error",
             {{"error", answer.reason},
              {"setting", "HUB_API_KEY"},
              {"fix", kFix},
              {"msg", "this replica finds no work, and leaves leading to one that can"}});
}

}  // namespace botburrow::coordinator
