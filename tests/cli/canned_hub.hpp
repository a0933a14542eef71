#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace botburrow::cli {

/// A Hub on loopback that answers what the test says and keeps what it was asked. Blocking sockets
/// on a thread of its own; one exchange a connection.
class CannedHub {
 public:
  struct Request {
    std::string method, target, body;
    std::map<std::string, std::string> headers;  // names in lower case
  };
  struct Answer {
    int status = 200;
    std::string body = "{}";
  };
  explicit CannedHub(std::function<Answer(const Request&)> answer);
  ~CannedHub();
  CannedHub(const CannedHub&) = delete;

  std::string url() const;
  std::vector<Request> requests() const;

 private:
  void serve();
  void exchange(int peer);

  std::function<Answer(const Request&)> answer_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

}  // namespace botburrow::cli
