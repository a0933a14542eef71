#pragma once

#include <boost/json/fwd.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli::verify {

enum class Result { pass, fail, skip };
std::string_view name_of(Result result);

struct Outcome {
  Result result = Result::skip;
  std::string evidence;
};
Outcome passed(std::string evidence);
Outcome failed(std::string evidence);
Outcome skipped(std::string why);

/// One row of the acceptance plan.
struct PlanItem {
  std::string_view id;     ///< "A6"
  std::string_view title;  ///< what must be so
  /// Why `--local` cannot show it; empty: it does.
  std::string_view not_local;
};
/// A1 to A60, in order.
const std::vector<PlanItem>& plan();

/// What came of the items that were run, by id.
using Outcomes = std::map<std::string, Outcome, std::less<>>;

/// A row for every item of the plan; `otherwise` says why those that were not run were not, where
/// the plan itself does not.
std::vector<std::pair<const PlanItem*, Outcome>> rows_of(const Outcomes& outcomes,
                                                         const std::string& otherwise);
bool any_failed(const Outcomes& outcomes);
/// The run ended before its end: that is a fault of the first item that has no outcome yet.
void note_end(Outcomes& outcomes, bool local, const std::string& why);

boost::json::value to_document(const Outcomes& outcomes, const std::string& otherwise);
/// A report to keep: heading, counts, a table.
std::string to_markdown(const Outcomes& outcomes, const std::string& otherwise,
                        const std::string& what, const std::string& when);

}  // namespace botburrow::cli::verify
