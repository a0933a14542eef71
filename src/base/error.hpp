#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

/// Stable codes of everything that can go wrong; docs/errors.md lists each with cause and cure.
enum class errc {
  invalid_argument,  // a caller's value is wrong
  usage,             // the command line is wrong
  bad_settings,      // a setting is wrong
  bad_input,         // a file or document is wrong
  not_found,
  already_exists,
  io,  // file system: disk full, permission, missing
  port_in_use,
  timeout,
  cancelled_by_owner,  // somebody asked for it to stop, and it is not an Asio cancellation
  redis_unavailable,   // not connected, loading, read-only, out of memory: try again later
  redis_error,         // the server refused the command itself
  http_unavailable,    // connect failure, reset, time-out: `sent` in the text says whether it left
  http_status,         // an answer outside 2xx; status() holds it
  hub_auth,            // 401 or 403 from the Hub
  stale_fence,         // 412: another activation of the agent has started since
  protocol,            // a peer said something outside its protocol
  limit,               // a bound of ours was reached
  definition_not_found,
  definition_invalid,
  model_auth,
  model_rate_limited,
  model_unavailable,
  model_refused_request,  // 400 and the like: repeating cannot help
  mcp_unavailable,        // an MCP server cannot be started or reached, or went away
  mcp_error,              // an MCP server answered with an error
  budget_exceeded,
  journal_full,
  internal,
};

std::string_view name_of(errc code);

/// Whether doing the same again can help.
enum class Retry { never, after_backoff };

/// The one exception of this program. The message is one line that names what failed, the value
/// and the fix; it never holds a secret.
class Error : public std::exception {
 public:
  Error(errc code, std::string message, Retry retry = Retry::never);

  /// Says which HTTP status a peer answered, and how long it asked us to wait (seconds).
  Error& with_status(int status);
  Error& with_retry_after(double seconds);
  /// A code of the peer's own, such as `stale_fence` or `insufficient_quota`.
  Error& with_detail(std::string detail);

  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& message() const { return message_; }
  errc code() const { return code_; }
  Retry retry() const { return retry_; }
  int status() const { return status_; }
  std::optional<double> retry_after() const { return retry_after_; }
  const std::string& detail() const { return detail_; }

 private:
  errc code_;
  std::string message_;
  Retry retry_;
  int status_ = 0;
  std::optional<double> retry_after_;
  std::string detail_;
};

/// The same error with what was being done in front: `in("loading agent scribe", error)`.
Error in(std::string_view doing, const Error& error);

/// What an exception says, for doors that log it: Error, std::exception or anything else.
std::string describe(const std::exception_ptr& failure);

/// True for an Asio cancellation (operation_aborted), which is not an error.
bool is_cancellation(const std::exception_ptr& failure);

/// One line on stderr, then abort. For states that cannot be: the queue gives the work back.
[[noreturn]] void assertion_failed(const char* what, const char* file, int line);

#define BB_ASSERT(condition) \
  ((condition) ? (void)0 : ::botburrow::assertion_failed(#condition, __FILE__, __LINE__))

}  // namespace botburrow
