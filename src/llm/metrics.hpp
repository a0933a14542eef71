#pragma once

#include "base/metrics.hpp"

#include <string>
#include <string_view>

namespace botburrow::llm {

/// botburrow_llm_requests_total{provider,model,outcome}: HTTP requests to models by how they ended,
/// repetitions counted each. Outcomes: success, rate_limited, unavailable, timeout, auth, refused,
/// error, cancelled. Providers and models are named by definitions: beyond 200 series of new names
/// they are `_other`.
class LlmMetrics {
 public:
  explicit LlmMetrics(Metrics* metrics);
  /// Every outcome with zero, before there is a model to name.
  void begin();
  void count(std::string_view provider, std::string_view model, std::string_view outcome);

 private:
  Metrics::Values* requests_ = nullptr;
};

}  // namespace botburrow::llm
