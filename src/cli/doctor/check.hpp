#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli::doctor {

struct Facts;

enum class Result { ok, fail, skip };
/// "ok", "fail", "skip".
std::string_view name_of(Result result);

/// What a check makes of the facts.
struct Verdict {
  Result result = Result::ok;
  std::string evidence;  ///< what was seen, or why nothing could be
  std::string cause;     ///< of this fault, where it is known better than the table's
  std::string cure;
  /// A skip because there is nothing here to look at, which is no fault; else something that should
  /// have been looked at could not be.
  bool nothing_to_check = false;
};
Verdict good(std::string evidence);
/// Empty `cause` or `cure`: the table's.
Verdict fault(std::string evidence, std::string cause = "", std::string cure = "");
Verdict unknown(std::string why);
Verdict nothing_there(std::string why);

/// One line of the report. The judge is a plain function: it sees facts that were gathered before,
/// and waits for nothing.
struct Check {
  std::string_view id;     ///< stable, e.g. `redis.key`; a heading of the troubleshooting guide
  std::string_view title;  ///< what is so when all is well
  std::string_view cause;
  std::string_view cure;
  Verdict (*judge)(const Facts& facts);
};

// A group a file.
const std::vector<Check>& settings_checks();
const std::vector<Check>& redis_checks();
const std::vector<Check>& leader_checks();
const std::vector<Check>& hub_checks();
const std::vector<Check>& queue_checks();
const std::vector<Check>& runner_checks();
const std::vector<Check>& definition_checks();
const std::vector<Check>& model_checks();
const std::vector<Check>& machine_checks();
const std::vector<Check>& port_checks();

/// All of them, in the order of the report: what others rest on comes first.
std::vector<Check> all_checks();

/// A check and what came of it; cause and cure are filled in for a fault, empty otherwise.
struct Finding {
  const Check* check = nullptr;
  Verdict verdict;
};
/// `checks` outlives the findings.
std::vector<Finding> judge_all(const std::vector<Check>& checks, const Facts& facts);
/// No fault, and nothing that could not be looked at.
bool all_well(const std::vector<Finding>& findings);

}  // namespace botburrow::cli::doctor
