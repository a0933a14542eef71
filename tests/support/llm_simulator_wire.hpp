#pragma once

#include "base/json.hpp"
#include "tests/support/llm_simulator.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace botburrow::test {

/// A refusal as the vendor words it.
struct Refusal {
  int status = 400;
  std::string message;
  std::string type;  ///< empty = what fits the status
};

/// What a vendor would refuse this request for; nothing where it is fine.
std::optional<Refusal> refusal_of(const LlmSimulator::Request& request,
                                  const LlmSimulator::Options& options);

/// The body of an error answer.
std::string error_body(LlmSimulator::Protocol protocol, int status, std::string type,
                       const std::string& message);

/// An answer's events (SSE) or lines (NDJSON), each a piece; for requests that do not stream, one
/// JSON text.
std::vector<std::string> render(const LlmSimulator::Request& request,
                                const LlmSimulator::Answer& answer, std::size_t number);
/// The vendor's overload error as an event of the stream.
std::string error_event(LlmSimulator::Protocol protocol, const std::string& message);
bool streams(const LlmSimulator::Request& request);

}  // namespace botburrow::test
