#include "hubapi/answers.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hubapi {

std::string problem_text(const json::value& body) {
  for (const auto* key : {"detail", "error", "message"}) {
    if (const auto text = string_field(body, key)) return valid_utf8(utf8_prefix(*text, 300));
  }
  return "";
}

Error status_error(const HubRequest& request, const HubAnswer& answer) {
  const auto text = problem_text(answer.body);
  const auto detail = string_field(answer.body, "code").value_or("");
  const auto where = fmt::format("{} {}", request.method, request.path);
  auto make = [&](errc code, std::string message, Retry retry) {
    Error error(code, std::move(message), retry);
    error.with_status(answer.status).with_detail(detail);
    if (answer.retry_after) error.with_retry_after(*answer.retry_after);
    return error;
  };
  const auto suffix = text.empty() ? std::string() : ": " + text;
  switch (answer.status) {
    case 401:
      return make(
          errc::hub_auth,
          fmt::format("{}: 401 Unauthorized from Hub API{}; check HUB_API_KEY", where, suffix),
          Retry::after_backoff);
    case 403:
      return make(errc::hub_auth, fmt::format("{}: 403 Forbidden{}", where, suffix), Retry::never);
    case 412:
      return make(errc::stale_fence, fmt::format("{}: 412 stale fence{}", where, suffix),
                  Retry::never);
    default:
      break;
  }
  const bool heals = answer.status >= 500 || answer.status == 429 || answer.status == 408;
  return make(errc::http_status, fmt::format("{}: {} from Hub API{}", where, answer.status, suffix),
              heals ? Retry::after_backoff : Retry::never);
}

void NextPage::after(const json::value& answer, std::size_t count) {
  seen += count;
  cursor = string_field(answer, "next_cursor").value_or("");
  more = count > 0 && (!cursor.empty() ||
                       int_field(answer, "total").value_or(0) > static_cast<std::int64_t>(seen));
}

Query NextPage::added_to(Query query) const {
  if (!more) return query;
  if (!cursor.empty())
    query.emplace_back("cursor", cursor);
  else
    query.emplace_back("offset", fmt::format("{}", seen));
  return query;
}

}  // namespace botburrow::hubapi
