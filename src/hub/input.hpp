#pragma once

#include "base/json.hpp"
#include "base/time.hpp"
#include "hub/errors.hpp"
#include "net/http_server.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::hub {

/// The body of a request as a JSON object; an empty body is `{}`. Throws ApiError 400 for anything
/// that is not JSON in UTF-8, 422 for JSON that is no object.
json::object parse_body(const std::string& body);

/// Characters, not bytes.
std::size_t utf8_length(std::string_view text);

/// `90`, `90s`, `5m`, `24h`, `7d`; nothing for anything else or more than ten years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// Lengths in characters.
struct TextLimits {
  std::size_t min = 0;
  std::size_t max = 0;
};

/// Reads the fields of a body that a stranger wrote. Faults are collected; check() throws them all
/// as one 422. Absent and null are the same.
class BodyFields {
 public:
  explicit BodyFields(const json::object& body) : body_(body) {}

  bool has(std::string_view name) const;
  std::optional<std::string> text(std::string_view name, TextLimits limits);
  /// Also faults when absent.
  std::string required_text(std::string_view name, TextLimits limits);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t count_max,
                                                TextLimits each);
  /// Any object, as JSON text of at most `bytes_max`.
  std::optional<std::string> object_text(std::string_view name, std::size_t bytes_max);
  /// Throws ApiError 400 for a bad date.
  std::optional<WallTime> time(std::string_view name);

  void fault(std::string_view name, std::string msg);
  void check();

 private:
  const json::value* find(std::string_view name) const;
  const json::object& body_;
  std::vector<FieldError> faults_;
};

/// The query of a request. Throws ApiError 422 naming the parameter.
class QueryFields {
 public:
  explicit QueryFields(const net::ServerRequest& request) : request_(request) {}

  std::optional<std::string> text(std::string_view name, std::size_t length_max = 500) const;
  /// Comma-separated or repeated; blanks around entries and empty entries drop out.
  std::vector<std::string> list(std::string_view name, std::size_t count_max = 50) const;
  bool flag(std::string_view name) const;
  /// Faults outside the range.
  std::int64_t integer(std::string_view name, std::int64_t otherwise, std::int64_t min,
                       std::int64_t max) const;
  /// Brings the value into the range.
  std::int64_t clamped(std::string_view name, std::int64_t otherwise, std::int64_t min,
                       std::int64_t max) const;
  std::chrono::seconds duration(std::string_view name, std::chrono::seconds otherwise) const;
  std::optional<WallTime> time(std::string_view name) const;

 private:
  std::optional<std::int64_t> whole(std::string_view name) const;
  const net::ServerRequest& request_;
};

}  // namespace botburrow::hub
