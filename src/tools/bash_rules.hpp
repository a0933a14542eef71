#pragma once

#include "definitions/definition.hpp"

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::tools {

/// What a command of an agent comes to.
struct BashPlan {
  std::vector<std::string> argv;
  /// The program is one of those that need no other: it is kept from starting any.
  bool only_itself = false;
};

/// Why a command may not run.
struct BashRefusal {
  std::string text;     ///< which rule speaks against it
  std::string missing;  ///< the field of the definition that does not allow it; empty: another rule
};

/// The programs that a shell without a list of its own may run: they look at files and text.
const std::vector<std::string>& harmless_programs();

/// Decides by an agent's `shell` section whether a command may run, and as what. Not the
/// boundary: that is the sandbox.
std::expected<BashPlan, BashRefusal> plan_command(const definitions::Shell& shell,
                                                  std::string_view command);

}  // namespace botburrow::tools
