#pragma once

#include "base/stop.hpp"
#include "base/task.hpp"
#include "net/http_client.hpp"
#include "sandbox/egress_proxy.hpp"
#include "sandbox/proxy_head.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace botburrow::sandbox {

/// The request of a program as the vendor gets it: to the route's address, with the route's headers
/// in place of whatever key the program sent.
net::HttpRequest model_request(const ModelRoute& route, const std::string& rest,
                               const ProxyHead& head, std::string body);

/// Passes a vendor's answer on while it comes.
class ModelRelay {
 public:
  /// `held` answers for what waits to be written, and outlives this.
  ModelRelay(boost::asio::any_io_executor executor, boost::asio::ip::tcp::socket& to,
             std::size_t bytes_max, HeldBytes& held);
  /// Returns when the answer has been written, or its reader has gone. One that reads too slowly
  /// gets its beginning alone.
  Task<> run(net::HttpClient& http, net::HttpRequest request);

 private:
  void begin(const net::HttpResponse& response);
  bool add(std::string_view bytes);
  Task<> ask(net::HttpClient& http, net::HttpRequest request);
  Task<> write_all();

  boost::asio::any_io_executor executor_;
  boost::asio::ip::tcp::socket& to_;
  std::size_t bytes_max_;
  HeldBytes& held_;
  std::string waiting_;
  bool begun_ = false;
  bool cut_ = false;  // nothing more is added
  bool ended_ = false;
  std::unique_ptr<StopSource> news_;
};

}  // namespace botburrow::sandbox
