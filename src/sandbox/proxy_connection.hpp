#pragma once

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/task.hpp"
#include "net/http_client.hpp"
#include "net/unique_fd.hpp"
#include "sandbox/egress_proxy.hpp"
#include "sandbox/proxy_head.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace botburrow::sandbox {

/// What a proxy's connections share. All of it outlives them.
struct ProxyContext {
  const EgressRules& rules;
  const std::map<std::string, ModelRoute>& models;
  const std::function<Task<LocalAnswer>(LocalRequest)>& local;
  std::size_t body_bytes_max;
  std::uint64_t& bytes_left;
  int& denied_lines_left;  ///< a program that asks without end must not fill the log
  HeldBytesBudget& held;
  net::HttpClient* http;
  const Log& log;
  Metrics::Values& requests;
};

/// One connection of a program inside: one request, then it is closed.
class ProxyConnection {
 public:
  ProxyConnection(boost::asio::any_io_executor executor, net::UniqueFd socket,
                  ProxyContext context);
  Task<> serve();

 private:
  using Socket = boost::asio::ip::tcp::socket;
  using Endpoint = boost::asio::ip::tcp::endpoint;

  Task<> serve_request();
  Task<> see_off();
  Task<std::optional<ProxyHead>> read_head();
  Task<bool> read_more();
  Task<> answer(int status, std::string text);
  Task<> deny(const HostPort& target, std::string reason);
  Task<std::optional<Socket>> connect(HostPort target);
  Task<std::optional<Endpoint>> judged_address(HostPort target);
  Task<> tunnel(ProxyHead head);
  Task<> forward(ProxyHead head);
  Task<> serve_local(ProxyHead head);
  Task<> serve_model(const ModelRoute& route, std::string name, std::string rest, ProxyHead head);
  Task<std::optional<std::string>> read_body(ProxyHead head);
  Task<bool> read_into(std::string& body, std::size_t bytes);
  Task<bool> read_chunks(std::string& body);
  Task<> write_local(const LocalAnswer& given);
  Task<> relay(Socket& other, bool both_ways);
  Task<> copy(Socket& from, Socket& to);
  bool spend(std::size_t bytes);
  void log_denied(const HostPort& target, const std::string& reason);
  void count(const char* outcome) { context_.requests.with({outcome}).add(); }

  boost::asio::any_io_executor executor_;
  Socket socket_;
  ProxyContext context_;
  HeldBytes held_;    // a body, and what waits to be written
  std::string read_;  // bytes of the client that nobody has used yet
  Instant last_byte_ = BootClock::now();
};

}  // namespace botburrow::sandbox
