#pragma once

#include "base/error.hpp"
#include "base/scrubber.hpp"

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

namespace botburrow::cli {

/// What the program answers to the shell. Scripts depend on these.
namespace exit_code {
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kSkipped = 2;       // only `runner --agent ID --once`
inline constexpr int kUsage = 64;        // the command line is wrong
inline constexpr int kBadData = 65;      // a file or document is wrong
inline constexpr int kUnavailable = 69;  // a server cannot be reached, or a port is in use
inline constexpr int kInternal = 70;     // a fault of this program
inline constexpr int kSettings = 78;     // a setting is wrong
inline constexpr int kTimeout = 124;
inline constexpr int kInterrupted = 130;
}  // namespace exit_code

/// The exit code an error ends a command with.
int exit_code_of(errc code);

/// Ends the command with `code`, once everything there is to say has been printed.
class Exit : public std::exception {
 public:
  explicit Exit(int code) : code_(code) {}
  int code() const { return code_; }
  const char* what() const noexcept override { return "exit"; }

 private:
  int code_;
};

/// From here on, `error: …` is printed without the secrets that this one knows. Of the whole
/// process, since the last door has nothing else to hold on to.
void scrub_errors_with(std::shared_ptr<const Scrubber> scrubber);

/// Prints `error: …` for what was thrown (nothing for Exit and cancellations) and gives the exit
/// code for it.
int report_failure(const std::exception_ptr& failure);

}  // namespace botburrow::cli
