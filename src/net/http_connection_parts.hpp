#pragma once

#include "net/http_connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {

// What the two halves of HttpConnection, reading and answering, share.

inline constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

struct HttpConnection::Incoming {
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  std::optional<Parser> parser{std::in_place};
  ServerRequest request;
  const ServerCore::Route* route = nullptr;
  std::vector<std::string> allowed;       // of a path without the method asked for
  std::optional<ServerResponse> refusal;  // of a large body, before it was read
  std::chrono::steady_clock::time_point began;
  bool keep_alive = false;
  bool http_1_0 = false;
  bool head = false;
};

}  // namespace botburrow::net
