#pragma once

#include "base/log.hpp"
#include "base/task.hpp"
#include "net/http_server.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace botburrow::cli::verify {

/// A vendor's model (OpenAI's protocol) that does what the name of the model says:
///   verify-ok       answers
///   verify-skip     answers SKIP
///   verify-slow     answers after 3 s
///   verify-stuck    answers never
///   verify-loop     asks for a tool, again and again
///   verify-refused  401
class ModelStub {
 public:
  ModelStub(boost::asio::any_io_executor executor, std::string key);
  void start() { server_.start(); }
  Task<> stop() { return server_.stop(std::chrono::seconds(0)); }
  std::string url() const { return server_.url() + "/v1"; }

  int calls(const std::string& model) const;
  int most_at_once() const { return most_at_once_; }
  /// What each answer claims to have used.
  static constexpr std::int64_t kTokensIn = 11, kTokensOut = 7;

 private:
  Task<net::ServerResponse> answer(net::ServerRequest request);
  std::string key_;
  net::HttpServer server_;
  std::map<std::string, int> calls_;
  int at_once_ = 0, most_at_once_ = 0;
};

}  // namespace botburrow::cli::verify
