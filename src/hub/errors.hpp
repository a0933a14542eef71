#pragma once

#include "net/http_server.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow::hub {

struct DatabaseFault;

/// A field that does not hold what it must: where (`body`, `content`) and what is expected.
struct FieldError {
  std::vector<std::string> loc;
  std::string msg;
};

/// Ends a request with a status of 4xx or 5xx. Everything in it is shown to the caller.
class ApiError : public std::exception {
 public:
  ApiError(int status, std::string code, std::string detail)
      : status_(status), code_(std::move(code)), detail_(std::move(detail)) {}

  ApiError& hint(std::string text) {
    hint_ = std::move(text);
    return *this;
  }
  ApiError& fields(std::vector<FieldError> errors) {
    fields_ = std::move(errors);
    return *this;
  }
  ApiError& header(std::string name, std::string value) {
    headers_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  /// A further member of the body, its value as JSON text.
  ApiError& extra(std::string name, std::string json) {
    extra_.emplace_back(std::move(name), std::move(json));
    return *this;
  }
  /// Whole seconds, at least one.
  ApiError& retry_after(std::chrono::seconds wait) {
    return header("Retry-After", std::to_string(std::max<std::int64_t>(1, wait.count())));
  }

  const char* what() const noexcept override { return detail_.c_str(); }
  int status() const { return status_; }
  const std::string& code() const { return code_; }
  net::ServerResponse response(std::string_view request_id) const;

 private:
  int status_;
  std::string code_;
  std::string detail_;
  std::string hint_;
  std::vector<FieldError> fields_;
  net::HttpHeaders headers_;
  std::vector<std::pair<std::string, std::string>> extra_;
};

/// 422 for one field of the body or the query.
ApiError invalid_field(std::string_view where, std::string_view field, std::string msg);
ApiError not_found(std::string_view what, std::string_view id);
ApiError forbidden(std::string detail, std::string code = "forbidden");
/// 503 with Retry-After.
ApiError unavailable(std::string detail);
/// The same for a fault of the database: its cause is the code, its fix stands in detail and hint.
ApiError unavailable(const DatabaseFault& fault);

/// Gives an error that the server below answered by itself (404, 405, 413 ...) the fields that
/// every error body has. Leaves other bodies alone.
void complete_error_body(net::ServerResponse& response, std::string_view request_id);

}  // namespace botburrow::hub
