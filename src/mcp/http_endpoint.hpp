#pragma once

#include "base/log.hpp"
#include "mcp/http_server_rules.hpp"
#include "net/http_server.hpp"

#include <string>

namespace botburrow::mcp {

/// Serves the tools of `rules` at `path` of an HTTP server: Streamable HTTP of all revisions,
/// without sessions. A call answers with one JSON document, or, once it tells of progress, with a
/// stream of events that ends with the answer. Call before the server starts; `rules` outlive it.
void add_endpoint(net::HttpServer& http, std::string path, const ServerRules& rules,
                  HttpAccess access, Log log);

/// The same for one POST that came another way, as one document: a client hears of no progress, and
/// a subscription ends at once. Whoever may reach it, may call.
Task<net::ServerResponse> answer_post(const ServerRules& rules, net::ServerRequest request,
                                      Log log);

}  // namespace botburrow::mcp
