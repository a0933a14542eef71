#pragma once

#include "base/error.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

enum class Severity { error, warning, info };
/// "error", "warning", "info".
std::string_view name_of(Severity severity);

/// One fault of a file, at a place, with its cure. Everything is one line of valid UTF-8; `value`
/// is cut to 80 bytes and never holds what could be a secret.
struct Problem {
  Severity severity = Severity::error;
  std::string code;   ///< stable, for logs: unknown_key, wrong_type, out_of_range, …
  std::string agent;  ///< agent or skill name; may be empty
  std::string file;
  int line = 0;  ///< from 1; 0: the file as a whole
  int column = 0;
  std::string field;    ///< e.g. `brain.temperature`, `capabilities.grants[2]`
  std::string value;    ///< as written
  std::string message;  ///< what is wrong, value included
  std::string fix;      ///< what to do
};

/// `ERROR [agent] file:line:column field: message; fix`, without the parts that are not known.
std::string to_text(const Problem& problem);
/// The same without severity and agent: for log fields and error texts.
std::string to_short_text(const Problem& problem);
/// `{severity, agent, file, line, column, field, value, message, fix}`.
boost::json::object to_json_object(const Problem& problem);

bool has_errors(const std::vector<Problem>& problems);

/// Error{definition_invalid} whose text begins `Agent config invalid:` and names the first error
/// and how many more there are.
Error invalid_definition(const std::vector<Problem>& problems);

}  // namespace botburrow::definitions
