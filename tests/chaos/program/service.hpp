#pragma once

#include "tests/chaos/program/mapped_file.hpp"
#include "tests/support/fault_proxy.hpp"
#include "tests/support/program.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::chaos {

/// Nanoseconds that a wall clock is off; see preload/clockshim.c.
using ClockOffset = MappedFile<std::atomic<long long>>;

/// One process of the system, with wires and a wall clock of its own. Whoever watches over it
/// starts it anew when it ends.
struct Service {
  std::string name;
  std::vector<std::string> words;
  std::vector<std::string> launcher;        ///< a program, and its arguments, that runs ours
  std::map<std::string, std::string> more;  ///< environment of this one
  int port = 0;                             ///< health and metrics
  std::unique_ptr<ClockOffset> clock;
  std::unique_ptr<test::FaultProxy> redis, hub, model;
  std::unique_ptr<test::Program> program;
  std::string past;  ///< what earlier processes of this name printed
  int life = 0;      ///< counts its processes
  enum class End { none, killed, drained } asked = End::none;    ///< of this process
  std::optional<std::chrono::steady_clock::time_point> restart;  ///< when it has ended

  bool runs() const { return program && !program->ended(); }
  /// Everything it ever printed.
  std::string printed() const { return past + (program ? program->out() + program->err() : ""); }
};

inline void set_clock(ClockOffset& clock, std::chrono::milliseconds off) {
  clock->store(std::chrono::nanoseconds(off).count());
}
inline std::chrono::milliseconds clock_of(const ClockOffset& clock) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::nanoseconds(clock->load()));
}

}  // namespace botburrow::chaos
