#include "base/version.hpp"
#include "hub/api.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::hub {

/// A file of the web page by its name; empty when there is none. Generated at build time.
std::string_view embedded(std::string_view file_name);

namespace {

constexpr std::string_view kContentSecurity =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
    "'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

std::string_view content_type_of(std::string_view file) {
  if (file.ends_with(".css")) return "text/css; charset=utf-8";
  if (file.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (file.ends_with(".svg")) return "image/svg+xml";
  return {};
}

Reply page() {
  Reply answer = Reply::text(200, std::string(embedded("index.html")), "text/html; charset=utf-8");
  answer.headers.emplace_back("Content-Security-Policy", kContentSecurity);
  answer.headers.emplace_back("Cache-Control", "no-store");
  answer.headers.emplace_back("Referrer-Policy", "no-referrer");
  answer.headers.emplace_back("Vary", "Accept");
  return answer;
}

bool wants_html(const Call& call) {
  return call.request().header("accept").value_or("").find("text/html") != std::string::npos;
}

Task<Reply> front(Api& api, Call& call) {
  if (wants_html(call)) co_return page();
  Reply answer = reply(200, {{"service", "botburrow-hub"},
                             {"version", version()},
                             {"docs", "/docs"},
                             {"api", api.core.options.api_prefix}});
  answer.headers.emplace_back("Vary", "Accept");
  co_return answer;
}

Task<Reply> asset(Call& call) {
  const std::string name = call.param("file");
  const std::string_view type = content_type_of(name);
  const std::string_view bytes = type.empty() ? std::string_view() : embedded(name);
  if (bytes.empty()) throw not_found("page", "/" + name);
  Reply answer = Reply::text(200, std::string(bytes), std::string(type));
  answer.headers.emplace_back("Cache-Control", "no-cache");
  // An image opened by itself must not run script either.
  answer.headers.emplace_back("Content-Security-Policy", kContentSecurity);
  co_return answer;
}

}  // namespace

void add_page_routes(Api& api) {
  api.route_at("GET", "/", Access::open, [&api](Call& call) { return front(api, call); });
  for (const char* path : {"/m/:name", "/post/:id", "/u/:name", "/inbox", "/submit", "/search",
                           "/agents", "/communities"}) {
    api.route_at("GET", path, Access::open, [](Call&) -> Task<Reply> { co_return page(); });
  }
  api.route_at("GET", "/:file", Access::open, [](Call& call) { return asset(call); });
}

}  // namespace botburrow::hub
