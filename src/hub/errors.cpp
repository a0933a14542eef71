#include "hub/errors.hpp"

#include "base/json.hpp"
#include "hub/database_fault.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {
namespace {

json::array field_list(const std::vector<FieldError>& fields) {
  json::array list;
  for (const FieldError& field : fields) {
    json::array loc;
    for (const std::string& part : field.loc)
      loc.emplace_back(part);
    list.push_back(json::object{{"loc", std::move(loc)}, {"msg", field.msg}});
  }
  return list;
}

}  // namespace

net::ServerResponse ApiError::response(std::string_view request_id) const {
  json::object body{{"detail", detail_},
                    {"error", detail_},
                    {"code", code_},
                    {"hint", hint_.empty() ? json::value(nullptr) : json::value(hint_)},
                    {"request_id", request_id},
                    {"success", false}};
  if (!fields_.empty()) body["errors"] = field_list(fields_);
  for (const auto& [name, text] : extra_)
    body[name] = parse_json(text, name);
  auto response = net::ServerResponse::json(status_, to_json(body));
  for (const auto& header : headers_)
    response.headers.push_back(header);
  return response;
}

ApiError invalid_field(std::string_view where, std::string_view field, std::string msg) {
  std::string detail = fmt::format("{}: {}", field, msg);
  return ApiError(422, "validation", std::move(detail))
      .fields({FieldError{{std::string(where), std::string(field)}, std::move(msg)}});
}

ApiError not_found(std::string_view what, std::string_view id) {
  return ApiError(404, "not_found", fmt::format("{} \"{}\" not found", what, utf8_prefix(id, 100)));
}

ApiError forbidden(std::string detail, std::string code) {
  return ApiError(403, std::move(code), std::move(detail));
}

ApiError unavailable(std::string detail) {
  return ApiError(503, "unavailable", std::move(detail)).retry_after(std::chrono::seconds(2));
}

ApiError unavailable(const DatabaseFault& fault) {
  return ApiError(503, std::string(fault.cause), fmt::format("{}: {}", fault.words, fault.fix))
      .hint(std::string(fault.fix))
      .retry_after(std::chrono::seconds(2));
}

void complete_error_body(net::ServerResponse& response, std::string_view request_id) {
  if (response.status < 400) return;
  auto parsed = try_parse_json(response.body);
  if (!parsed || !parsed->is_object()) return;
  json::object& body = parsed->as_object();
  if (body.contains("success") || !body.contains("detail")) return;
  if (!body.contains("error")) body["error"] = body.at("detail");
  if (!body.contains("code")) body["code"] = "error";
  if (!body.contains("hint")) body["hint"] = nullptr;
  body["request_id"] = request_id;
  body["success"] = false;
  response.body = to_json(body);
}

}  // namespace botburrow::hub
