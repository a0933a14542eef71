#pragma once

#include "base/task.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::cli::verify {

/// A stretch of network between services and those they ask: listens on 127.0.0.1 and passes HTTP
/// requests on, one a connection. To requests with a whole URL it is a proxy, for the hosts that it
/// knows; any other goes to the host "". Loses or refuses what it is told to, and keeps count.
class Wire {
 public:
  struct Request {
    std::string method;
    std::string host;    ///< of a request to a proxy, without its port; else empty
    std::string target;  ///< path and query
    int status = 0;      ///< of the answer; 0 where there was none
  };
  enum class Fate {
    pass,
    lose_answer,  ///< an accepted one: its client is reset instead of hearing of it
    not_there,    ///< 404, and nothing is passed on
  };
  using Decide = std::function<Fate(const Request&)>;

  explicit Wire(boost::asio::any_io_executor executor);
  ~Wire();
  Wire(const Wire&) = delete;

  void start();
  Task<> stop();
  std::string url() const;

  /// Requests for `host` go to this port of this machine.
  void lead(const std::string& host, const std::string& url);
  /// Asked about each request as it comes; unset: all pass.
  void decide(Decide decide);

  /// Those that came and fit.
  std::size_t count(const std::function<bool(const Request&)>& fits) const;
  std::size_t of_host(const std::string& host) const;
  std::size_t lost() const;  ///< answers

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace botburrow::cli::verify
