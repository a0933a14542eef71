#pragma once

#include "base/task.hpp"
#include "base/time.hpp"
#include "llm/model.hpp"

#include <string>
#include <string_view>

namespace botburrow::tools {

/// What a tool call came to. `fatal` ends the run; `blocked` says that policy refused it.
struct ToolOutput {
  std::string output;
  std::string error;  ///< empty = it went well
  int exit_code = 0;
  bool skipped = false;
  bool blocked = false;
  bool fatal = false;
  std::string missing;  ///< of a refusal: the grant, or the field of the definition, that it lacks

  static ToolOutput ok(std::string text) { return {.output = std::move(text)}; }
  static ToolOutput failed(std::string why) { return {.error = std::move(why), .exit_code = 1}; }
  static ToolOutput refused(std::string why, std::string missing = "") {
    return {
        .error = std::move(why), .exit_code = 1, .blocked = true, .missing = std::move(missing)};
  }

  /// The output, or `Error: <error>`; with both, the output and then the error.
  std::string for_model() const;
};

/// Something an agent may call. One activation owns it; calls come one at a time.
class Tool {
 public:
  virtual ~Tool() = default;
  virtual const llm::ToolSpec& spec() const = 0;
  /// `arguments` is an object that has passed the required fields and types of the spec. May throw
  /// Error: the toolbox turns it into a failed output, except for stale_fence, cancellations, and
  /// whatever a tool with effects throws, which end the activation.
  virtual Task<ToolOutput> call(json::value arguments, Deadline deadline) = 0;
  /// True for a tool that changes something outside. What it throws means that nobody knows whether
  /// it did; a model that was told so would try again under another key, and do it twice. So the
  /// run ends, and its rerun asks under the same key.
  virtual bool has_effects() const { return false; }
  /// An earlier run of the same work made this call, and `result` stands in the transcript: this
  /// run goes over it without making it. Told in the order of the calls. A tool that tells its
  /// calls apart by their number counts it, so that the next one is not taken for this one.
  virtual void made_before(const json::value& arguments, std::string_view result) {
    static_cast<void>(arguments);
    static_cast<void>(result);
  }
};

}  // namespace botburrow::tools
