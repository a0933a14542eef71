#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "mcp/tool_list.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::mcp {

/// What a server's tools looked like: one hash for all, and a short mark for each.
struct DefinitionsSeen {
  std::string sha256;
  std::map<std::string, std::string> marks;  ///< by name of the tool, at most kMarksMax
  std::string seen_at;                       ///< RFC 3339, for people

  static DefinitionsSeen of(const std::vector<ToolDefinition>& tools, WallTime at);
};
inline constexpr std::size_t kMarksMax = 1000;

std::string to_json_text(const DefinitionsSeen& seen);
/// Nothing for what is no such text. Marks may be missing: earlier versions wrote none.
std::optional<DefinitionsSeen> read_definitions_seen(std::string_view text);

/// What differs: "added a; changed b, c; removed d", or that it cannot be told.
std::string difference(const DefinitionsSeen& before, const DefinitionsSeen& after);

/// What an operator made of it.
struct TrustVerdict {
  bool trusted = false;
  std::string changed;  ///< difference(), where it is not
};

/// Remembers which definitions of each server are trusted: those that were there at first, or that
/// an operator approved. Throws Error{redis_unavailable}.
class TrustStore {
 public:
  virtual ~TrustStore() = default;

  /// The first definitions of a server become the trusted ones. Others are written down, so that an
  /// operator can approve them.
  virtual Task<TrustVerdict> check(std::string server, DefinitionsSeen seen) = 0;

  struct Waiting {
    std::string server;
    DefinitionsSeen trusted, changed;
  };
  /// Servers whose tools are withheld.
  virtual Task<std::vector<Waiting>> waiting() = 0;
  struct Approval {
    enum class Outcome {
      approved,
      nothing_waits,
      others_wait,  ///< with another hash than the one that was looked at
    } outcome = Outcome::nothing_waits;
    Waiting waiting;  ///< what was approved, or the others
  };
  /// From here on the changed definitions whose hash begins with `sha256` are the trusted ones; an
  /// empty one fits any. What is approved is what is given back, whatever runners write meanwhile.
  virtual Task<Approval> approve(std::string server, std::string sha256) = 0;
};

}  // namespace botburrow::mcp
