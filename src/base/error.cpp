#include "base/error.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace botburrow {

std::string_view name_of(errc code) {
  switch (code) {
    case errc::invalid_argument:
      return "invalid_argument";
    case errc::usage:
      return "usage";
    case errc::bad_settings:
      return "bad_settings";
    case errc::bad_input:
      return "bad_input";
    case errc::not_found:
      return "not_found";
    case errc::already_exists:
      return "already_exists";
    case errc::io:
      return "io";
    case errc::port_in_use:
      return "port_in_use";
    case errc::timeout:
      return "timeout";
    case errc::cancelled_by_owner:
      return "cancelled_by_owner";
    case errc::redis_unavailable:
      return "redis_unavailable";
    case errc::redis_error:
      return "redis_error";
    case errc::http_unavailable:
      return "http_unavailable";
    case errc::http_status:
      return "http_status";
    case errc::hub_auth:
      return "hub_auth";
    case errc::stale_fence:
      return "stale_fence";
    case errc::protocol:
      return "protocol";
    case errc::limit:
      return "limit";
    case errc::definition_not_found:
      return "definition_not_found";
    case errc::definition_invalid:
      return "definition_invalid";
    case errc::model_auth:
      return "model_auth";
    case errc::model_rate_limited:
      return "model_rate_limited";
    case errc::model_unavailable:
      return "model_unavailable";
    case errc::model_refused_request:
      return "model_refused_request";
    case errc::mcp_unavailable:
      return "mcp_unavailable";
    case errc::mcp_error:
      return "mcp_error";
    case errc::budget_exceeded:
      return "budget_exceeded";
    case errc::journal_full:
      return "journal_full";
    case errc::internal:
      return "internal";
  }
  return "internal";
}

Error::Error(errc code, std::string message, Retry retry)
    : code_(code), message_(std::move(message)), retry_(retry) {}

Error& Error::with_status(int status) {
  status_ = status;
  return *this;
}

Error& Error::with_retry_after(double seconds) {
  retry_after_ = seconds;
  return *this;
}

Error& Error::with_detail(std::string detail) {
  detail_ = std::move(detail);
  return *this;
}

Error in(std::string_view doing, const Error& error) {
  Error wrapped(error.code(), fmt::format("{}: {}", doing, error.message()), error.retry());
  wrapped.with_status(error.status()).with_detail(error.detail());
  if (error.retry_after()) wrapped.with_retry_after(*error.retry_after());
  return wrapped;
}

std::string describe(const std::exception_ptr& failure) {
  if (!failure) return "";
  try {
    std::rethrow_exception(failure);
  } catch (const boost::asio::multiple_exceptions& several) {
    return describe(several.first_exception());
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown failure";
  }
}

bool is_cancellation(const std::exception_ptr& failure) {
  if (!failure) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::asio::multiple_exceptions& several) {
    return is_cancellation(several.first_exception());
  } catch (const boost::system::system_error& error) {
    return error.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

void assertion_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "impossible state: %s (%s:%d)\n", what, file, line);
  std::abort();
}

}  // namespace botburrow
