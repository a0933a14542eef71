#pragma once

#include "tests/chaos/program/fleet.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace botburrow::chaos {

/// Shared with preload/syscall_killer.c.
struct SyscallCounters {
  std::atomic<long long> armed, left, seen;
};

/// Kills runners one after the other, each at a chosen point of one activation: at its n-th piece
/// of bytes on any wire, or at its n-th stop at a system call, counted from the claim. The item
/// that it held is never aimed at again: another runner has to bring it to its end.
class Sweep : public Fleet {
 public:
  enum class At {
    piece_lost,    ///< the runner dies, and the piece with it
    piece_passed,  ///< the runner dies, and the piece still arrives
    syscall,
  };
  struct Count {
    int length = 0;     ///< points that one whole activation had, at most
    int points = 0;     ///< aimed at
    int covered = 0;    ///< a runner died there
    int passed_by = 0;  ///< aimed at, but the activation was shorter
  };

  /// `stride`: of the system calls only each n-th; 0 = so that there are about a hundred.
  Sweep(Profile profile, Programs programs, int stride);
  /// Until every point was aimed at, or `limit` passes; false then.
  bool run(std::chrono::seconds limit);
  const std::map<At, Count>& counts() const { return counts_; }
  int stride() const { return stride_; }

 private:
  struct Point {
    At at = At::piece_lost;
    int index = 0;
    bool is_probe = false;  ///< kills nobody: it counts
    int tried = 0;
  };
  struct Victim {
    Service* service = nullptr;
    std::unique_ptr<MappedFile<SyscallCounters>> counters;
    std::optional<Point> point;
    std::string agent;  ///< whose activation is counted; empty = none
    Clock::time_point since;
    bool seen_held = false;
    bool shot = false;  ///< killed at a piece
    int pieces = 0;
  };

  void make_victims();
  void probe(std::chrono::seconds limit);
  void plan();
  void mention_free_agents();
  void take_aim(Victim& victim);
  void look_after(Victim& victim);
  void end_of(Victim& victim);
  test::Fate piece(Victim& victim, bool from_redis, test::Way way, std::string_view bytes);
  void claimed(Victim& victim, const std::string& agent);
  bool done() const;

  int stride_;
  std::vector<std::unique_ptr<Victim>> victims_;
  std::deque<Point> points_;
  std::map<At, Count> counts_;
  std::set<std::string> fresh_;  ///< agents whose mention nobody has claimed yet
  std::map<std::string, Clock::time_point> busy_;
};

}  // namespace botburrow::chaos
