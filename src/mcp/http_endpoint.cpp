#include "mcp/http_endpoint.hpp"

#include "mcp/server_call.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <chrono>

namespace botburrow::mcp {
namespace {

using net::ServerRequest;
using net::ServerResponse;

/// Read before anybody looks at the token, so no more than a message needs.
constexpr std::size_t kBodyBytesMax = 256u << 10;
/// A quiet stream says that it lives.
constexpr auto kKeepAlive = std::chrono::seconds(15);

std::string event_text(std::string_view message) {
  return fmt::format("event: message\ndata: {}\n\n", message);
}

bool takes_events(const ServerRequest& request) {
  const auto accept = request.header("accept").value_or("");
  return accept.find("text/event-stream") != std::string::npos ||
         accept.find("*/*") != std::string::npos;
}

/// Turns the answer into a stream with the first progress.
class StreamedProgress final : public CallProgress {
 public:
  StreamedProgress(net::ResponseStream& out, json::value token)
      : out_(out), token_(std::move(token)) {}

  Task<> progressed(double done, std::optional<double> total, std::string message) override {
    if (token_.is_null()) co_return;
    begun_ = true;
    co_await out_.write(event_text(ServerRules::progress_text(token_, done, total, message)));
  }
  bool begun() const { return begun_; }

 private:
  net::ResponseStream& out_;
  json::value token_;
  bool begun_ = false;
};

class NoProgress final : public CallProgress {
 public:
  Task<> progressed(double, std::optional<double>, std::string) override { co_return; }
};

class Endpoint {
 public:
  Endpoint(const ServerRules& rules, HttpAccess access, Log log)
      : rules_(rules), access_(std::move(access)), log_(std::move(log)) {}

  Task<> serve(ServerRequest request, net::ResponseStream& out) const {
    if (auto refusal = refuse_access(request, access_)) co_return out.answer(*std::move(refusal));
    if (is_batch(request.body)) {
      auto messages = read_messages(request.body);
      if (auto refusal = refuse_batch(request, messages)) co_return out.answer(*std::move(refusal));
      auto response = co_await serve_batch(std::move(messages));
      co_return out.answer(std::move(response));
    }
    auto read = read_message(request.body);
    if (!read.message) {
      log_.error("invalid_json", {{"error", read.fault}});
      co_return out.answer(ServerResponse::json(400, rules_.refuse(read)));
    }
    co_await serve_message(request, *std::move(read.message), out);
  }

  Task<ServerResponse> answer(ServerRequest request) const {
    if (request.method != "POST") {
      auto refusal = ServerResponse::problem(405, "method_not_allowed", "only POST is answered");
      co_return refusal;
    }
    if (is_batch(request.body)) {
      auto messages = read_messages(request.body);
      if (auto refusal = refuse_batch(request, messages)) co_return *std::move(refusal);
      co_return co_await serve_batch(std::move(messages));
    }
    auto read = read_message(request.body);
    if (!read.message) co_return ServerResponse::json(400, rules_.refuse(read));
    auto verdict = judge_headers(request, *read.message, rules_);
    if (verdict.refusal) co_return *std::move(verdict.refusal);
    auto step = rules_.step(*read.message, verdict.modern);
    switch (step.kind) {
      case ServerStep::Kind::nothing:
      case ServerStep::Kind::cancel:
        break;
      case ServerStep::Kind::answer:
        co_return ServerResponse::json(status_of(step), std::move(step.reply));
      case ServerStep::Kind::subscribe:
        co_return ServerResponse::text(200, event_text(step.reply), "text/event-stream");
      case ServerStep::Kind::call: {
        NoProgress progress;
        co_return ServerResponse::json(200, co_await run_call(rules_, std::move(read.message->id),
                                                              std::move(step), progress, log_));
      }
    }
    ServerResponse accepted{.status = 202};
    co_return accepted;
  }

 private:
  Task<> serve_message(const ServerRequest& request, Message message,
                       net::ResponseStream& out) const {
    auto verdict = judge_headers(request, message, rules_);
    if (verdict.refusal) co_return out.answer(*std::move(verdict.refusal));
    auto step = rules_.step(message, verdict.modern);
    switch (step.kind) {
      case ServerStep::Kind::nothing:
      case ServerStep::Kind::cancel:
        co_return out.answer({.status = 202});
      case ServerStep::Kind::answer:
        co_return out.answer(ServerResponse::json(status_of(step), std::move(step.reply)));
      case ServerStep::Kind::subscribe:
        co_await keep_open(std::move(step.reply), out);
        co_return;
      case ServerStep::Kind::call:
        break;
    }
    if (!takes_events(request)) step.progress_token = nullptr;
    StreamedProgress progress(out, step.progress_token);
    auto answer = co_await run_call(rules_, std::move(message.id), std::move(step), progress, log_);
    if (progress.begun()) {
      co_await out.write(event_text(answer));
    } else {
      out.answer(ServerResponse::json(200, std::move(answer)));
    }
  }

  Task<> keep_open(std::string acknowledged, net::ResponseStream& out) const {
    co_await out.write(event_text(acknowledged));
    for (;;) {
      co_await sleep_for(kKeepAlive);
      co_await out.write(":\n\n");
    }
  }

  // Revision 2025-03-26 has batches. Their calls run one after the other.
  Task<ServerResponse> serve_batch(std::vector<ReadMessage> messages) const {
    std::string answers;
    for (auto& read : messages) {
      auto answer = co_await one_of_batch(std::move(read));
      if (answer.empty()) continue;
      answers += (answers.empty() ? "" : ",") + answer;
    }
    if (answers.empty()) co_return ServerResponse{.status = 202};
    co_return ServerResponse::json(200, "[" + answers + "]");
  }

  Task<std::string> one_of_batch(ReadMessage read) const {
    if (!read.message) co_return rules_.refuse(read);
    auto step = rules_.step(*read.message);
    if (step.kind == ServerStep::Kind::answer) co_return std::move(step.reply);
    if (step.kind != ServerStep::Kind::call) co_return "";
    NoProgress progress;
    co_return co_await run_call(rules_, std::move(read.message->id), std::move(step), progress,
                                log_);
  }

  const ServerRules& rules_;
  HttpAccess access_;
  Log log_;
};

}  // namespace

Task<net::ServerResponse> answer_post(const ServerRules& rules, net::ServerRequest request,
                                      Log log) {
  const Endpoint endpoint(rules, {}, std::move(log));
  co_return co_await endpoint.answer(std::move(request));
}

void add_endpoint(net::HttpServer& http, std::string path, const ServerRules& rules,
                  HttpAccess access, Log log) {
  const auto endpoint = std::make_shared<const Endpoint>(rules, std::move(access), std::move(log));
  http.stream("POST", std::move(path), "text/event-stream", kBodyBytesMax,
              [endpoint](ServerRequest request, net::ResponseStream& out) {
                return endpoint->serve(std::move(request), out);
              });
}

}  // namespace botburrow::mcp
