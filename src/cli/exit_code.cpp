#include "cli/exit_code.hpp"

#include "cli/output.hpp"

#include <cstdio>

namespace botburrow::cli {
namespace {

int exit_code_of_error(const Error& error) {
  // A server behind a proxy that is not there is a server not there.
  const int status = error.status();
  if (error.code() == errc::http_status && status >= 502 && status <= 504)
    return exit_code::kUnavailable;
  return exit_code_of(error.code());
}

std::shared_ptr<const Scrubber>& error_scrubber() {
  static std::shared_ptr<const Scrubber> scrubber;
  return scrubber;
}

void print_error(std::string_view message) {
  std::string line = printable(message);
  if (error_scrubber()) line = error_scrubber()->scrub(std::move(line));
  for (char& c : line)
    if (c == '\n' || c == '\t') c = ' ';
  std::fprintf(stderr, "error: %s\n", line.c_str());
}

}  // namespace

void scrub_errors_with(std::shared_ptr<const Scrubber> scrubber) {
  error_scrubber() = std::move(scrubber);
}

int exit_code_of(errc code) {
  switch (code) {
    case errc::usage:
    case errc::invalid_argument:
      return exit_code::kUsage;
    case errc::bad_settings:
      return exit_code::kSettings;
    case errc::bad_input:
    case errc::definition_invalid:
      return exit_code::kBadData;
    case errc::port_in_use:
    case errc::redis_unavailable:
    case errc::http_unavailable:
    case errc::model_unavailable:
    case errc::mcp_unavailable:
      return exit_code::kUnavailable;
    case errc::timeout:
      return exit_code::kTimeout;
    case errc::cancelled_by_owner:
      return exit_code::kInterrupted;
    case errc::internal:
      return exit_code::kInternal;
    case errc::not_found:
    case errc::already_exists:
    case errc::io:
    case errc::redis_error:
    case errc::http_status:
    case errc::hub_auth:
    case errc::stale_fence:
    case errc::protocol:
    case errc::limit:
    case errc::definition_not_found:
    case errc::model_auth:
    case errc::model_rate_limited:
    case errc::model_refused_request:
    case errc::mcp_error:
    case errc::budget_exceeded:
    case errc::journal_full:
      return exit_code::kFailed;
  }
  return exit_code::kInternal;
}

int report_failure(const std::exception_ptr& failure) {
  if (is_cancellation(failure)) return exit_code::kInterrupted;
  try {
    std::rethrow_exception(failure);
  } catch (const Exit& exit) {
    return exit.code();
  } catch (const Error& error) {
    print_error(error.message());
    return exit_code_of_error(error);
  } catch (...) {
    print_error("unexpected failure: " + describe(failure));
    return exit_code::kInternal;
  }
}

}  // namespace botburrow::cli
