#include "definitions/problem.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::definitions {
namespace {

std::string_view label_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "ERROR";
    case Severity::warning:
      return "WARNING";
    case Severity::info:
      return "INFO";
  }
  return "ERROR";
}

/// File names come from a stranger's repository: no line ends, no terminal escapes.
std::string one_line(std::string_view text) {
  std::string out = valid_utf8(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return out;
}

}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::info:
      return "info";
  }
  return "error";
}

std::string to_short_text(const Problem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) out += fmt::format(":{}:{}", problem.line, problem.column);
  if (!problem.field.empty()) out += (out.empty() ? "" : " ") + problem.field;
  if (!out.empty()) out += ": ";
  out += problem.message;
  if (!problem.fix.empty()) out += "; " + problem.fix;
  return one_line(out);
}

std::string to_text(const Problem& problem) {
  std::string out(label_of(problem.severity));
  if (!problem.agent.empty()) out += " [" + one_line(problem.agent) + "]";
  return out + " " + to_short_text(problem);
}

boost::json::object to_json_object(const Problem& problem) {
  const auto text = [](std::string_view value) { return json::value(valid_utf8(value)); };
  json::object out;
  out["severity"] = text(name_of(problem.severity));
  out["agent"] = text(problem.agent);
  out["file"] = text(problem.file);
  out["line"] = problem.line;
  out["column"] = problem.column;
  out["field"] = text(problem.field);
  out["value"] = text(problem.value);
  out["message"] = text(problem.message);
  out["fix"] = text(problem.fix);
  return out;
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::ranges::any_of(problems,
                             [](const Problem& p) { return p.severity == Severity::error; });
}

Error invalid_definition(const std::vector<Problem>& problems) {
  const auto is_error = [](const Problem& p) { return p.severity == Severity::error; };
  const auto first = std::ranges::find_if(problems, is_error);
  if (first == problems.end())
    return Error(errc::definition_invalid, "Agent config invalid: unknown fault");
  std::string text = "Agent config invalid: " + to_short_text(*first);
  if (const auto more = std::ranges::count_if(problems, is_error) - 1; more > 0) {
    text += fmt::format(" (and {} more; botburrow validate shows all)", more);
  }
  return Error(errc::definition_invalid, std::move(text));
}

}  // namespace botburrow::definitions
