#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "llm/metrics.hpp"
#include "llm/model.hpp"
#include "llm/providers.hpp"
#include "llm/wire.hpp"
#include "net/http_client.hpp"

#include <exception>
#include <memory>
#include <optional>

namespace botburrow::llm {

/// A model behind HTTP: sends what its protocol builds, feeds the reader, repeats what may be
/// repeated. Only whole answers leave it, so an answer cut in the middle is repeated like one that
/// never began.
class HttpModel final : public Model {
 public:
  /// `http` and `random` must outlive the model.
  HttpModel(ProviderConfig config, std::unique_ptr<Protocol> protocol, net::HttpClient& http,
            Random& random, Log log, LlmMetrics metrics);

  Task<ModelAnswer> complete(const ModelRequest& request, Deadline deadline) override;
  std::string_view provider() const override { return config_.provider; }

 private:
  /// An answer, or why there is none: what follows from a failure has to wait.
  struct Attempt {
    std::optional<ModelAnswer> answer;
    std::optional<Error> error;
    std::optional<Quirks> learnt;  ///< ask again at once, so
    std::exception_ptr other;      ///< a cancellation, or what is nobody's fault here
  };
  Task<Attempt> attempt(const ModelRequest& request, Quirks quirks, Deadline deadline);
  Attempt judge_response(const ModelRequest& request, const Quirks& quirks, std::string_view asked,
                         const net::HttpResponse& response) const;
  void learn(const Quirks& learnt, const Error& refusal);
  Error explain(const Error& error, Deadline deadline) const;
  void note(const Attempt& attempt, const ModelRequest& request);

  ProviderConfig config_;
  std::unique_ptr<Protocol> protocol_;
  net::HttpClient& http_;
  Random& random_;
  Log log_;
  LlmMetrics metrics_;
  Quirks quirks_;
};

}  // namespace botburrow::llm
