#include "tests/support/llm_simulator.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "tests/support/llm_simulator_wire.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>

namespace botburrow::test {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kHeadBytesMax = 64u << 10;
constexpr std::size_t kBodyBytesMax = 64u << 20;

std::string lower(std::string text) {
  for (char& c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string content_text(const json::value* content) {
  if (content == nullptr) return {};
  if (const auto* text = content->if_string()) return {text->data(), text->size()};
  std::string out;
  if (const auto* blocks = content->if_array()) {
    for (const auto& block : *blocks) {
      if (string_field(block, "type").value_or("text") == "text")
        out += string_field(block, "text").value_or("");
    }
  }
  return out;
}

std::optional<LlmSimulator::Protocol> protocol_of(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  if (path.ends_with("/v1/messages")) return LlmSimulator::Protocol::anthropic;
  if (path.ends_with("/chat/completions")) return LlmSimulator::Protocol::openai;
  if (path.ends_with("/api/chat")) return LlmSimulator::Protocol::ollama;
  return {};
}

// One HTTP request as it came.
struct Received {
  std::string method, target, body;
  std::vector<std::pair<std::string, std::string>> headers;
  bool keep_alive = true;

  std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

Received parse_head(std::string_view head) {
  Received out;
  auto line_end = head.find("\r\n");
  const auto first = head.substr(0, line_end);
  const auto space = first.find(' ');
  out.method = std::string(first.substr(0, space));
  if (space != std::string_view::npos) {
    const auto rest = first.substr(space + 1);
    out.target = std::string(rest.substr(0, rest.find(' ')));
  }
  head.remove_prefix(line_end + 2);
  while ((line_end = head.find("\r\n")) != std::string_view::npos && line_end > 0) {
    const auto line = head.substr(0, line_end);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      auto value = line.substr(colon + 1);
      while (value.starts_with(' '))
        value.remove_prefix(1);
      out.headers.emplace_back(lower(std::string(line.substr(0, colon))), std::string(value));
    }
    head.remove_prefix(line_end + 2);
  }
  out.keep_alive = lower(out.header("connection")) != "close";
  return out;
}

Task<> wait_readable(tcp::socket& socket) {
  co_await socket.async_wait(tcp::socket::wait_read, asio::use_awaitable);
}

// Waits `d`; true where the peer left (or spoke out of turn) before it was over.
Task<bool> peer_left_within(tcp::socket& socket, std::chrono::nanoseconds d) {
  try {
    co_await with_deadline("delay", Deadline::in(d), wait_readable(socket));
  } catch (const Error& error) {
    if (error.code() == errc::timeout) co_return false;
    throw;
  }
  co_return true;
}

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

// The pieces in which a body is written.
std::vector<std::string> cut_into(const std::vector<std::string>& events, std::size_t chunk_bytes) {
  if (chunk_bytes == 0) return events;
  std::string all;
  for (const auto& event : events)
    all += event;
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < all.size(); at += chunk_bytes)
    pieces.push_back(all.substr(at, chunk_bytes));
  return pieces;
}

// The first half of the bytes.
std::vector<std::string> first_half(std::vector<std::string> pieces) {
  std::size_t total = 0;
  for (const auto& piece : pieces)
    total += piece.size();
  std::size_t left = total / 2;
  std::vector<std::string> out;
  for (auto& piece : pieces) {
    if (left == 0) break;
    piece.resize(std::min(piece.size(), left));
    left -= piece.size();
    out.push_back(std::move(piece));
  }
  return out;
}

}  // namespace

std::string LlmSimulator::Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string LlmSimulator::Request::last_user_text() const {
  const auto& messages = array_field(body, "messages");
  for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
    if (string_field(*message, "role") != "user") continue;
    if (auto text = content_text(find_field(*message, "content")); !text.empty()) return text;
  }
  return {};
}

std::string LlmSimulator::Request::system_text() const {
  if (const auto* system = find_field(body, "system")) return content_text(system);
  std::string out;
  for (const auto& message : array_field(body, "messages")) {
    if (string_field(message, "role") == "system")
      out += content_text(find_field(message, "content"));
  }
  return out;
}

std::vector<std::string> LlmSimulator::Request::tool_names() const {
  std::vector<std::string> names;
  for (const auto& tool : array_field(body, "tools")) {
    const auto* function = find_field(tool, "function");
    names.push_back(string_field(function != nullptr ? *function : tool, "name").value_or(""));
  }
  return names;
}

bool LlmSimulator::Request::ends_with_tool_results() const {
  const auto& messages = array_field(body, "messages");
  if (messages.empty()) return false;
  if (string_field(messages.back(), "role") == "tool") return true;
  const auto& blocks = array_field(messages.back(), "content");
  return !blocks.empty() && string_field(blocks.back(), "type") == "tool_result";
}

LlmSimulator::Answer LlmSimulator::Answer::say(std::string text) {
  Answer answer;
  answer.text = std::move(text);
  return answer;
}

LlmSimulator::Answer LlmSimulator::Answer::call(std::string tool, json::value arguments) {
  Answer answer;
  answer.calls.push_back({std::move(tool), std::move(arguments), {}});
  return answer;
}

LlmSimulator::Answer LlmSimulator::Answer::whole(int status, std::string body,
                                                 std::string content_type) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  answer.content_type = std::move(content_type);
  return answer;
}

LlmSimulator::Answer LlmSimulator::Answer::error(int status, std::string message) {
  Answer answer;
  answer.status = status;
  answer.error_message = std::move(message);
  return answer;
}

LlmSimulator::Answer LlmSimulator::Answer::broken(Fault fault) {
  Answer answer = say("This answer breaks off somewhere in its middle.");
  answer.fault = fault;
  return answer;
}

struct LlmSimulator::State {
  State(asio::any_io_executor executor, Options the_options)
      : options(std::move(the_options)), acceptor(executor), tasks(executor) {}

  Options options;
  tcp::acceptor acceptor;
  std::deque<Answer> queued;
  Script script;
  std::vector<Request> ledger;
  std::size_t requests = 0, rejected = 0, connections = 0, waiting = 0, waiting_max = 0;
  std::vector<asio::steady_timer*> watchers;
  int port = 0;
  TaskGroup tasks;

  Task<> accept_all();
  Task<> serve(tcp::socket& socket);
  Task<std::optional<Received>> receive(tcp::socket& socket, std::string& buffer);
  Task<bool> answer(tcp::socket& socket, Received received);
  Task<bool> answer_model(tcp::socket& socket, Request request);
  Task<bool> send(tcp::socket& socket, const Request& request, const Answer& answer,
                  std::size_t number);
  Task<bool> send_stream(tcp::socket& socket, std::vector<std::string> pieces, const Answer& answer,
                         std::string content_type);
  static Task<bool> send_whole(tcp::socket& socket, int status, std::string content_type,
                               std::string body,
                               std::vector<std::pair<std::string, std::string>> headers);
  Answer next_answer(const Request& request);
  void arrived(Request request);
};

Task<> LlmSimulator::State::accept_all() {
  while (true) {
    auto socket = std::make_shared<tcp::socket>(co_await asio::this_coro::executor);
    boost::system::error_code error;
    co_await acceptor.async_accept(*socket, asio::redirect_error(asio::use_awaitable, error));
    if (!acceptor.is_open() || error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors: those who wait in the backlog get their turn when others leave.
      co_await sleep_for(std::chrono::milliseconds(10));
      continue;
    }
    boost::system::error_code ignored;
    socket->set_option(tcp::no_delay(true), ignored);
    tasks.spawn("connection", [this, socket]() -> Task<> {
      ++connections;
      std::exception_ptr failure;
      try {
        co_await serve(*socket);
      } catch (...) {
        failure = std::current_exception();
      }
      --connections;
      boost::system::error_code unimportant;
      socket->close(unimportant);
    });
  }
}

Task<> LlmSimulator::State::serve(tcp::socket& socket) {
  std::string buffer;
  while (true) {
    auto received = co_await receive(socket, buffer);
    if (!received) co_return;
    const bool keep_alive = received->keep_alive;
    ++waiting;
    waiting_max = std::max(waiting_max, waiting);
    std::exception_ptr failure;
    bool go_on = false;
    try {
      go_on = co_await answer(socket, *std::move(received));
    } catch (...) {
      failure = std::current_exception();
    }
    --waiting;
    if (failure) std::rethrow_exception(failure);
    if (!go_on || !keep_alive) co_return;
  }
}

Task<std::optional<Received>> LlmSimulator::State::receive(tcp::socket& socket,
                                                           std::string& buffer) {
  boost::system::error_code error;
  const auto head_bytes =
      co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer, kHeadBytesMax),
                                      "\r\n\r\n", asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return std::nullopt;
  auto received = parse_head(std::string_view(buffer).substr(0, head_bytes));
  buffer.erase(0, head_bytes);
  if (lower(received.header("expect")) == "100-continue") {
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(go_on), asio::use_awaitable);
  }
  std::size_t length = 0;
  const auto text = received.header("content-length");
  std::from_chars(text.data(), text.data() + text.size(), length);
  if (length > kBodyBytesMax) co_return std::nullopt;
  if (buffer.size() < length) {
    co_await asio::async_read(socket, asio::dynamic_buffer(buffer),
                              asio::transfer_exactly(length - buffer.size()), asio::use_awaitable);
  }
  received.body = buffer.substr(0, length);
  buffer.erase(0, length);
  co_return received;
}

Task<bool> LlmSimulator::State::answer(tcp::socket& socket, Received received) {
  const auto protocol = protocol_of(received.target);
  if (received.method == "POST" && protocol) {
    Request request{.protocol = *protocol,
                    .path = std::move(received.target),
                    .headers = std::move(received.headers)};
    if (auto body = try_parse_json(received.body)) request.body = *std::move(body);
    request.raw_body = std::move(received.body);
    co_return co_await answer_model(socket, std::move(request));
  }
  if (received.method == "GET" && received.target.ends_with("/api/tags")) {
    json::array models;
    for (const auto& name : options.ollama_models)
      models.push_back(json::object{{"name", name}});
    co_return co_await send_whole(socket, 200, "application/json",
                                  to_json(json::object{{"models", std::move(models)}}), {});
  }
  // The list of models is where a key is tried out for nothing.
  if (received.method == "GET" && received.target.ends_with("/models") && !options.key.empty() &&
      received.header("x-api-key") != options.key &&
      received.header("authorization") != "Bearer " + options.key) {
    co_return co_await send_whole(socket, 401, "application/json",
                                  R"({"type":"error","error":{"type":"authentication_error"}})",
                                  {});
  }
  const int status = received.method == "HEAD" ? 200 : 404;
  co_return co_await send_whole(socket, status, "application/json",
                                received.method == "HEAD" ? "" : R"({"error":"not found"})", {});
}

LlmSimulator::Answer LlmSimulator::State::next_answer(const Request& request) {
  if (!queued.empty()) {
    Answer answer = std::move(queued.front());
    queued.pop_front();
    return answer;
  }
  if (script) return script(request);
  return Answer::say("Simulated answer to: " + request.last_user_text());
}

void LlmSimulator::State::arrived(Request request) {
  ++requests;
  if (!options.keep_bodies) {
    request.body = nullptr;
    request.raw_body.clear();
  }
  if (ledger.size() < options.ledger_max) ledger.push_back(std::move(request));
  for (auto* watcher : watchers)
    watcher->cancel();
}

Task<bool> LlmSimulator::State::answer_model(tcp::socket& socket, Request request) {
  const auto refusal = options.validate ? refusal_of(request, options) : std::nullopt;
  Answer answer;
  if (refusal) {
    ++rejected;
    answer = Answer::error(refusal->status, refusal->message);
    answer.error_type = refusal->type;
  } else {
    answer = next_answer(request);
  }
  request.answered_status = answer.status;
  arrived(request);
  const std::size_t number = requests;
  if (answer.delay.count() > 0 && co_await peer_left_within(socket, answer.delay)) co_return false;
  co_return co_await send(socket, request, answer, number);
}

Task<bool> LlmSimulator::State::send(tcp::socket& socket, const Request& request,
                                     const Answer& answer, std::size_t number) {
  switch (answer.fault) {
    case Fault::reset_before_answer:
      socket.set_option(asio::socket_base::linger(true, 0));
      co_return false;
    case Fault::close_before_answer:
      co_return false;
    case Fault::silence:
      co_await wait_readable(socket);
      co_return false;
    default:
      break;
  }
  if (answer.body) {
    co_return co_await send_whole(socket, answer.status, answer.content_type, *answer.body,
                                  answer.headers);
  }
  if (answer.status != 200) {
    auto body =
        error_body(request.protocol, answer.status, answer.error_type, answer.error_message);
    co_return co_await send_whole(socket, answer.status, "application/json", std::move(body),
                                  answer.headers);
  }
  auto pieces = render(request, answer, number);
  if (!streams(request)) {
    co_return co_await send_whole(socket, 200, "application/json", pieces.front(), answer.headers);
  }
  if (answer.fault == Fault::garbage) pieces.insert(pieces.begin() + 1, "data: {broken\n\n");
  if (answer.fault == Fault::error_event) {
    pieces.resize(2);
    pieces.push_back(error_event(request.protocol, "Overloaded"));
  }
  if (answer.fault == Fault::no_end) pieces.resize(2);
  const bool ndjson = request.protocol == Protocol::ollama;
  co_return co_await send_stream(
      socket, cut_into(pieces, answer.chunk_bytes), answer,
      ndjson ? "application/x-ndjson" : "text/event-stream; charset=utf-8");
}

Task<bool> LlmSimulator::State::send_stream(tcp::socket& socket, std::vector<std::string> pieces,
                                            const Answer& answer, std::string content_type) {
  const bool half = answer.fault == Fault::cut || answer.fault == Fault::stall;
  if (half) pieces = first_half(std::move(pieces));
  std::string out = fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n", content_type);
  for (const auto& [name, value] : answer.headers)
    out += fmt::format("{}: {}\r\n", name, value);
  out += "\r\n";
  for (const auto& piece : pieces) {
    out += chunk(piece);
    if (answer.chunk_delay.count() == 0) continue;
    co_await asio::async_write(socket, asio::buffer(out), asio::use_awaitable);
    out.clear();
    if (co_await peer_left_within(socket, answer.chunk_delay)) co_return false;
  }
  if (!half) out += "0\r\n\r\n";
  co_await asio::async_write(socket, asio::buffer(out), asio::use_awaitable);
  if (answer.fault == Fault::stall) co_await wait_readable(socket);
  co_return !half;
}

Task<bool> LlmSimulator::State::send_whole(
    tcp::socket& socket, int status, std::string content_type, std::string body,
    std::vector<std::pair<std::string, std::string>> headers) {
  std::string out =
      fmt::format("HTTP/1.1 {} Simulated\r\nContent-Type: {}\r\nContent-Length: {}\r\n", status,
                  content_type, body.size());
  for (const auto& [name, value] : headers)
    out += fmt::format("{}: {}\r\n", name, value);
  out += "\r\n" + body;
  co_await asio::async_write(socket, asio::buffer(out), asio::use_awaitable);
  co_return true;
}

LlmSimulator::LlmSimulator(asio::any_io_executor executor, Options options)
    : state_(std::make_shared<State>(std::move(executor), std::move(options))) {}

LlmSimulator::~LlmSimulator() = default;

void LlmSimulator::start() {
  const tcp::endpoint endpoint(asio::ip::make_address(state_->options.host),
                               static_cast<unsigned short>(state_->options.port));
  state_->acceptor.open(endpoint.protocol());
  state_->acceptor.set_option(asio::socket_base::reuse_address(true));
  state_->acceptor.bind(endpoint);
  state_->acceptor.listen(asio::socket_base::max_listen_connections);
  state_->port = state_->acceptor.local_endpoint().port();
  state_->tasks.spawn("accept", [state = state_.get()] { return state->accept_all(); });
}

Task<> LlmSimulator::stop() {
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  co_await state_->tasks.stop();
}

std::string LlmSimulator::url() const {
  return fmt::format("http://{}:{}", state_->options.host, state_->port);
}
int LlmSimulator::port() const {
  return state_->port;
}
void LlmSimulator::queue(Answer answer) {
  state_->queued.push_back(std::move(answer));
}
void LlmSimulator::script(Script script) {
  state_->script = std::move(script);
}
std::size_t LlmSimulator::requests() const {
  return state_->requests;
}
std::size_t LlmSimulator::rejected() const {
  return state_->rejected;
}
std::size_t LlmSimulator::connections() const {
  return state_->connections;
}
std::size_t LlmSimulator::waiting_max() const {
  return state_->waiting_max;
}
const std::vector<LlmSimulator::Request>& LlmSimulator::ledger() const {
  return state_->ledger;
}
const LlmSimulator::Request& LlmSimulator::last() const {
  return state_->ledger.back();
}

Task<> LlmSimulator::wait_for_requests(std::size_t count, std::chrono::milliseconds within) {
  const auto state = state_;
  const auto deadline = Deadline::in(within);
  while (state->requests < count) {
    if (deadline.passed()) {
      throw Error(errc::timeout,
                  fmt::format("simulator: {} of {} requests came", state->requests, count));
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, deadline.left());
    state->watchers.push_back(&timer);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    std::erase(state->watchers, &timer);
  }
}

void LlmSimulator::forget() {
  state_->ledger.clear();
  state_->requests = state_->rejected = state_->waiting_max = 0;
}

}  // namespace botburrow::test
