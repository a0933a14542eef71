#pragma once

#include "tests/support/fault_proxy.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::chaos {

/// Fences in the order of their giving: generation, counter.
using FencePair = std::pair<std::int64_t, std::int64_t>;

/// Reads along at the Hub's end of the wires: which write came under which fence, and what the Hub
/// said to it. A ledger that neither runners nor the Hub write.
class HubTap {
 public:
  /// `wire` and `link` tell connections apart; see FaultProxy::Witness.
  void see(std::size_t wire, std::size_t link, test::Way way, std::string_view bytes);

  struct Verdict {
    int writes = 0;          ///< that the Hub accepted from agents
    int refused_stale = 0;   ///< answered 412
    int stale_accepted = 0;  ///< came after a newer fence had been accepted, and were accepted
    int unfenced = 0;        ///< accepted without a fence
    std::vector<std::string> complaints;
  };
  const Verdict& verdict() const { return verdict_; }

 private:
  struct Write {
    std::string what, agent;
    std::optional<FencePair> fence;
    FencePair newest{0, 0};  ///< accepted for that agent before this one reached the Hub
    bool is_write = false;
  };
  struct Link {
    std::string asked, answered;  ///< bytes not read yet
    std::vector<Write> open;      ///< asked and not answered, oldest first
    bool lost = false;            ///< something we cannot read: look no further
  };

  bool take_request(Link& link);
  bool take_answer(Link& link);
  void judge(const Write& write, int status);

  std::map<std::pair<std::size_t, std::size_t>, Link> links_;
  std::map<std::string, FencePair> newest_;
  Verdict verdict_;
};

}  // namespace botburrow::chaos
