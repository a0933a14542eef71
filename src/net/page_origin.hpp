#pragma once
// Whether a browser sends a request because a page of somebody else says so.
#include "net/http_server.hpp"

namespace botburrow::net {

/// A page from elsewhere asks, as far as its browser says (Sec-Fetch-Site of the W3C's Fetch
/// Metadata, Origin of RFC 6454). A service of ours must not do for it what it does for its own
/// page, or for programs.
bool is_from_foreign_page(const ServerRequest& request);

/// A program on this machine asks for itself, as far as anybody says: no proxy stands between.
bool is_from_this_machine(const ServerRequest& request);

}  // namespace botburrow::net
