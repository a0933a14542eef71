#pragma once

#include "definitions/parse.hpp"
#include "definitions/problem.hpp"

#include <optional>
#include <string>
#include <vector>

namespace botburrow::definitions {

/// The building block of `botburrow validate`. Blocking.
struct ValidateOptions {
  std::string root;        ///< `--root`: where skills are looked up; empty: found from each path
  bool strict = false;     ///< `--strict`: warnings count as errors for ok()
  bool fail_fast = false;  ///< `--fail-fast`: stop after the first agent or skill with an error
  ParseOptions parse;      ///< from settings; missing_is_error is set by validate()
};

struct ValidateReport {
  int agents = 0;  ///< checked
  int skills = 0;
  int errors = 0;
  int warnings = 0;
  std::vector<Problem> problems;  ///< all severities, by file
  bool strict = false;

  /// Exit 0 if true, else 65.
  bool ok() const { return errors == 0 && (!strict || warnings == 0); }
};

/// Checks agents and skills below the paths. Each may be a repository root (has `agents/`), an
/// `agents/` folder, one agent's folder, a config.yaml, a `skills/` folder, one skill's folder, or
/// a SKILL.md. A path that is none of these is a problem with field `path`. Never throws for bad
/// input.
ValidateReport validate(const std::vector<std::string>& paths, const ValidateOptions& options);

/// Which severities to show: `--severity error|warning|info|all`; error shows errors only, warning
/// errors and warnings, info and all everything.
std::optional<Severity> find_severity_floor(std::string_view name);

/// Lines of problems and a closing line with counts, each ended by a newline.
std::string to_text(const ValidateReport& report, Severity floor = Severity::info);
/// `{"agents","skills","errors","warnings","problems":[…]}`, pretty, ended by a newline.
std::string to_json_text(const ValidateReport& report, Severity floor = Severity::info);

}  // namespace botburrow::definitions
