// What goes wrong, and how it ends.

#include "base/error.hpp"
#include "tests/chaos/program/fleet.hpp"
#include "tests/support/run_task.hpp"

#include <fmt/format.h>

#include <signal.h>

#include <algorithm>

namespace botburrow::chaos {

using namespace std::chrono_literals;
using Ms = std::chrono::milliseconds;

namespace {

/// Nothing waits for longer than that on Redis' own clock (guarantee G27).
constexpr auto kLongestOff = 3600s;

double seconds_now() {
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

}  // namespace

void Fleet::befall(const Fault& fault) {
  const auto& kind = fault.kind;
  ++befallen_[kind];
  if (kind == "clock_jump")
    befall_clock(fault);
  else if (kind.starts_with("runner_") || kind.starts_with("leader_") || kind == "late_write" ||
           targets_of(kind, profile_.runners) == 1)
    befall_process(fault);
  else
    befall_wires(fault);
}

void Fleet::befall_process(const Fault& fault) {
  auto& runner = runners_[static_cast<std::size_t>(fault.target) % runners_.size()];
  const auto& kind = fault.kind;
  if (kind == "runner_kill") {
    kill_runner(runner);
  } else if (kind == "runner_freeze") {
    freeze(runner, fault.length);
  } else if (kind == "runner_drain") {
    drain(runner);
  } else if (kind == "late_write") {
    hold_next_write(runner, fault.length);
  } else if (kind == "leader_kill") {
    with_leader([this](Service& leader) {
      time_failover("kill", leader, [this](Service& service) { kill(service); });
    });
  } else if (kind == "leader_drain") {
    with_leader([this](Service& leader) {
      time_failover("term", leader, [this](Service& service) { drain(service); });
    });
  } else if (kind == "leader_freeze") {
    with_leader([this, length = fault.length](Service& leader) { freeze(leader, length); });
  } else if (kind == "redis_restart") {
    redis_.restart();
  } else if (kind == "redis_down") {
    redis_down(fault.length);
  } else if (kind == "redis_rollback") {
    redis_.keep();
    later(fault.length, [this] { roll_back(); });
  } else if (kind == "redis_wipe") {
    roll_back();
  } else if (kind == "redis_freeze") {
    redis_away_ = true;
    redis_.freeze();
    later(fault.length, [this] {
      redis_.thaw();
      redis_away_ = false;
    });
  } else if (kind == "hub_restart") {
    kill(hub_);
  } else if (kind == "hub_freeze") {
    hub_away_ = true;
    freeze(hub_, fault.length);
    later(fault.length, [this] { hub_away_ = false; });
  } else {
    throw Error(errc::bad_input, "schedule: unknown kind " + kind, Retry::never);
  }
}

void Fleet::kill(Service& service) {
  if (!service.runs()) return;
  service.asked = Service::End::killed;
  service.program->kill9();
}

void Fleet::kill_runner(Service& runner) {
  if (!runner.runs()) return;
  look();
  recoveries_.killed(runner.name, sample_, seconds_now());
  kill(runner);
}

void Fleet::freeze(Service& service, Ms length) {
  if (!service.runs()) return;
  service.program->signal(SIGSTOP);
  later(length, [&service, life = service.life] {
    if (service.life == life) service.program->signal(SIGCONT);
  });
}

// It hands over in its own time and is started again when it has ended; whatever hangs is ended.
void Fleet::drain(Service& service) {
  if (!service.runs()) return;
  service.asked = Service::End::drained;
  service.program->signal(SIGTERM);
  later(8s, [this, &service, life = service.life] {
    if (service.life == life) launch(service);
  });
}

Service* Fleet::leader() {
  const auto reply = ask({"GET", "coordinator:leader"});
  if (!reply || reply->is_nil()) return nullptr;
  const auto found = std::ranges::find(coordinators_, reply->str(), &Service::name);
  return found == coordinators_.end() || !found->runs() ? nullptr : &*found;
}

// Nobody may lead at this moment; and where Redis' clock jumped, the name of the leader has expired
// until the next renewal.
void Fleet::with_leader(std::function<void(Service&)> act, int tries) {
  if (auto* service = leader()) {
    act(*service);
  } else if (tries > 0) {
    later(200ms, [this, act = std::move(act), tries] { with_leader(act, tries - 1); });
  } else {
    ++befallen_["leader_not_found"];
  }
}

void Fleet::time_failover(const char* how, Service& leader, std::function<void(Service&)> act) {
  look();
  const auto at = seconds_now();
  ++befallen_[how == std::string_view("kill") ? "leaders_killed" : "leaders_drained"];
  act(leader);
  failovers_.leader_ended(how, sample_.epoch, fmt::format("mention-{:06}", posted_ + 1), at);
  mention("probe");
}

void Fleet::redis_down(Ms length) {
  redis_away_ = true;
  redis_.kill9();
  later(length, [this] {
    redis_.start();
    redis_away_ = false;
    const auto back = seconds_now();
    const auto waiting = std::make_shared<std::vector<Service*>>(everybody());
    std::erase(*waiting, &hub_);
    const auto watch = std::make_shared<std::function<void()>>();
    *watch = [this, back, waiting, weak = std::weak_ptr(watch)] {
      std::erase_if(*waiting, [this](Service* service) { return is_ready(*service); });
      if (waiting->empty()) {
        failovers_.redis_ready(seconds_now() - back);
      } else if (const auto again = weak.lock()) {
        later(10ms, [again] { (*again)(); });
      }
    };
    (*watch)();
  });
}

void Fleet::roll_back() {
  redis_.restore();
  invariants_.forget();
  ++rollbacks_;
}

bool Fleet::is_ready(const Service& service) {
  if (!service.runs()) return false;
  net::HttpRequest request{.method = "GET",
                           .url = fmt::format("http://127.0.0.1:{}/ready", service.port)};
  request.total_timeout = 1s;
  try {
    return test::run_task(io_, http_.send(std::move(request))).ok();
  } catch (const Error&) {
    return false;
  }
}

// Its next answer to somebody stays in the wire while it dies and another runner takes over.
void Fleet::hold_next_write(Service& runner, Ms length) {
  runner.hub->tap(
      [this, &runner, length](std::size_t, test::Way way, std::string_view bytes) -> test::Fate {
        if (way != test::Way::forth || !bytes.starts_with("POST /api/v1/posts/")) return {};
        ++befallen_["writes_held"];
        runner.hub->tap(nullptr);
        later(0ms, [this, &runner] { kill_runner(runner); });
        return {.hold = length};
      });
}

// The one whose work asked the model about this.
void Fleet::kill_poisoned(const std::string& token) {
  look();
  const auto mention = std::ranges::find(mentions_, token, &Mention::token);
  if (mention == mentions_.end()) return;
  const auto held = sample_.held.find(mention->agent);
  if (held == sample_.held.end()) return;
  for (auto& runner : runners_) {
    if (runner.name != held->second.runner) continue;
    ++befallen_["poisoned"];
    kill_runner(runner);
  }
}

// What was put off under Redis' clock comes an hour late at most when that is set back: a jump back
// is made good after a while, and one forward stays. Others come and go.
void Fleet::befall_clock(const Fault& fault) {
  auto all = everybody();
  const auto count = all.size();
  const auto target = static_cast<std::size_t>(fault.target) % (count + 2);
  if (target < count) {
    set_clock(*all[target]->clock, fault.length);
    return;
  }
  if (target == count + 1) {
    for (auto* service : all)
      set_clock(*service->clock, fault.length);
  }
  const auto before = clock_of(*redis_clock_);
  set_clock(*redis_clock_, before + fault.length);
  redis_clock_most_ = std::max(redis_clock_most_, before + fault.length);
  if (fault.length < 0ms) {
    later(3s, [this] { set_clock(*redis_clock_, redis_clock_most_); });
  }
}

std::vector<test::FaultProxy*> Fleet::wires(const std::string& to, int target) {
  std::vector<test::FaultProxy*> found;
  auto all = everybody();
  all.pop_back();  // the Hub has none
  if (to == "model") all.resize(runners_.size());
  const auto chosen = static_cast<std::size_t>(target) % (all.size() + 1);
  for (std::size_t n = 0; n < all.size(); ++n) {
    if (chosen != n && chosen != all.size()) continue;
    found.push_back(to == "redis" ? all[n]->redis.get()
                    : to == "hub" ? all[n]->hub.get()
                                  : all[n]->model.get());
  }
  return found;
}

void Fleet::befall_wires(const Fault& fault) {
  const auto bar = fault.kind.find('_');
  const auto to = fault.kind.substr(0, bar);
  if (bar == std::string::npos || (to != "redis" && to != "hub" && to != "model"))
    throw Error(errc::bad_input, "schedule: unknown kind " + fault.kind, Retry::never);
  for (auto* wire : wires(to, fault.target))
    misbehave(*wire, fault.kind.substr(bar + 1), fault.length);
}

void Fleet::misbehave(test::FaultProxy& wire, const std::string& what, Ms length) {
  if (what == "reset") {
    wire.cut();
  } else if (what == "lose_requests") {
    wire.reset_requests(2);
  } else if (what == "lose_answers") {
    wire.reset_answers(2);
  } else if (what == "delay") {
    wire.delay(30ms);
    later(length, [&wire] { wire.delay(0ms); });
  } else if (what == "hang") {
    wire.pause();
    later(length, [&wire] { wire.resume(); });
  } else if (what == "slice") {
    wire.slice(7);
    later(length, [&wire] { wire.slice(0); });
  } else if (what == "half_open" || what == "mute") {
    wire.strand(what == "half_open");
    later(length, [&wire] { wire.mend(); });
  } else {
    throw Error(errc::bad_input, "schedule: unknown fault of a wire: " + what, Retry::never);
  }
}

void Fleet::forgive() {
  for (auto& entry : std::exchange(due_, {}))
    entry.act();
  for (auto* service : everybody()) {
    set_clock(*service->clock, 0ms);
    for (auto* wire : {service->redis.get(), service->hub.get(), service->model.get()}) {
      if (!wire) continue;
      wire->tap(nullptr);
      wire->resume();
      wire->delay(0ms);
      wire->slice(0);
      wire->reset_answers(0);
      wire->reset_requests(0);
      wire->mend();
    }
  }
  if (befallen_.contains("clock_jump"))
    set_clock(*redis_clock_, redis_clock_most_ + kLongestOff + 10s);
}

}  // namespace botburrow::chaos
