#include "llm/metrics.hpp"

#include "base/metric_table.hpp"

#include <set>
#include <utility>

namespace botburrow::llm {
namespace {

constexpr std::size_t kNamesMax = 200;

bool room_for(const Metrics::Values& family, const std::string& provider,
              const std::string& model) {
  const auto& series = family.series();
  const auto first = series.lower_bound({provider, model});
  const bool known =
      first != series.end() && first->first[0] == provider && first->first[1] == model;
  if (known || series.size() < kNamesMax) return true;
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const auto& [labels, value] : series)
    names.emplace(labels[0], labels[1]);
  return names.size() < kNamesMax;
}

}  // namespace

LlmMetrics::LlmMetrics(Metrics* metrics) {
  if (metrics == nullptr) return;
  requests_ = &series_of(*metrics, "botburrow_llm_requests_total");
}

void LlmMetrics::begin() {
  if (requests_ == nullptr) return;
  for (const char* outcome : {"success", "rate_limited", "unavailable", "timeout", "auth",
                              "refused", "error", "cancelled"})
    requests_->with({"_other", "_other", outcome});
}

void LlmMetrics::count(std::string_view provider, std::string_view model,
                       std::string_view outcome) {
  if (requests_ == nullptr) return;
  std::string provider_label(provider), model_label(model);
  if (!room_for(*requests_, provider_label, model_label)) provider_label = model_label = "_other";
  requests_->with({provider_label, model_label, std::string(outcome)}).add();
}

}  // namespace botburrow::llm
