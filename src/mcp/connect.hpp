#pragma once

#include "mcp/client.hpp"
#include "mcp/http_channel.hpp"
#include "mcp/launcher.hpp"
#include "mcp/stdio_channel.hpp"

#include <memory>

namespace botburrow::mcp {

/// Starts a server and greets it. One that ends itself because it was asked for the modern era is
/// started once more and greeted as it wants. What fails leaves nothing behind; the message then
/// ends with the end of the server's stderr.
Task<std::unique_ptr<Client>> connect_stdio(Launcher& launcher, LaunchSpec spec,
                                            StdioChannel::Limits limits, ClientOptions options,
                                            Deadline deadline, Log log);

/// The same for a server behind a URL. `http` outlives the client.
Task<std::unique_ptr<Client>> connect_http(net::HttpClient& http, HttpChannel::Options channel,
                                           ClientOptions options, Deadline deadline, Log log);

/// `error` with the last lines that a server wrote to stderr behind it, cleaned and short.
Error with_complaints(const Error& error, std::string_view complaints);

}  // namespace botburrow::mcp
