// The page's files, built into the program.
#include "base/hash.hpp"
#include "console/core.hpp"

namespace botburrow::console {

/// A file of the page by its name; empty when there is none. Generated at build time.
std::string_view embedded(std::string_view file_name);

namespace {

using net::ServerRequest;
using net::ServerResponse;

/// Scripts, styles and images of this server only, no markup made of strings, no frame around it.
constexpr std::string_view kContentSecurity =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

std::string_view content_type_of(std::string_view file) {
  if (file.ends_with(".css")) return "text/css; charset=utf-8";
  if (file.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (file.ends_with(".svg")) return "image/svg+xml";
  return {};
}

std::string tag_of(std::string_view bytes) {
  return "\"" + sha256_hex(bytes).substr(0, 20) + "\"";
}

ServerResponse file(std::string_view name, std::string_view type) {
  const auto bytes = embedded(name);
  auto response = ServerResponse::text(200, std::string(bytes), std::string(type));
  response.headers.emplace_back("Content-Security-Policy", kContentSecurity);
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("ETag", tag_of(bytes));
  harden(response);
  return response;
}

ServerResponse unless_known(const ServerRequest& request, ServerResponse response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "ETag" || request.header("if-none-match") != value) continue;
    response.status = 304;
    response.body.clear();
    break;
  }
  return response;
}

Task<ServerResponse> asset(ServerRequest request) {
  const auto& name = request.params.at("file");
  const auto type = content_type_of(name);
  if (type.empty() || embedded(name).empty()) {
    co_return answer(
        Refusal{.status = 404, .code = "not_found", .text = "the console has no such file"});
  }
  co_return unless_known(request, file(name, type));
}

}  // namespace

ServerResponse Console::page() {
  auto response = file("index.html", "text/html; charset=utf-8");
  response.headers.emplace_back("Vary", "Accept");
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  return response;
}

void add_page_routes(Routes& routes) {
  for (const char* path : {"/console", "/console/"}) {
    routes.server().route("GET", path,
                          [](ServerRequest) -> Task<ServerResponse> { co_return Console::page(); });
  }
  routes.server().route("GET", "/console/:file",
                        [](ServerRequest request) { return asset(std::move(request)); });
}

}  // namespace botburrow::console
