#include "cli/doctor/check.hpp"

#include "cli/doctor/facts.hpp"

#include <algorithm>
#include <utility>

namespace botburrow::cli::doctor {

std::string_view name_of(Result result) {
  switch (result) {
    case Result::ok:
      return "ok";
    case Result::fail:
      return "fail";
    case Result::skip:
      return "skip";
  }
  return "";
}

Verdict good(std::string evidence) {
  return {.result = Result::ok, .evidence = std::move(evidence)};
}
Verdict fault(std::string evidence, std::string cause, std::string cure) {
  return {.result = Result::fail,
          .evidence = std::move(evidence),
          .cause = std::move(cause),
          .cure = std::move(cure)};
}
Verdict unknown(std::string why) {
  return {.result = Result::skip, .evidence = "not checked: " + std::move(why)};
}
Verdict nothing_there(std::string why) {
  return {.result = Result::skip, .evidence = std::move(why), .nothing_to_check = true};
}

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (const auto* group :
       {&settings_checks(), &machine_checks(), &port_checks(), &redis_checks(), &hub_checks(),
        &leader_checks(), &runner_checks(), &queue_checks(), &definition_checks(), &model_checks()})
    all.insert(all.end(), group->begin(), group->end());
  return all;
}

std::vector<Finding> judge_all(const std::vector<Check>& checks, const Facts& facts) {
  std::vector<Finding> findings;
  for (const auto& check : checks) {
    auto verdict = check.judge(facts);
    if (verdict.result == Result::fail) {
      if (verdict.cause.empty()) verdict.cause = check.cause;
      if (verdict.cure.empty()) verdict.cure = check.cure;
    }
    findings.push_back({&check, std::move(verdict)});
  }
  return findings;
}

bool all_well(const std::vector<Finding>& findings) {
  return std::ranges::all_of(findings, [](const Finding& finding) {
    return finding.verdict.result == Result::ok || finding.verdict.nothing_to_check;
  });
}

}  // namespace botburrow::cli::doctor
