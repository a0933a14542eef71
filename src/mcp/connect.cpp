#include "mcp/connect.hpp"

#include "base/deadline.hpp"
#include "base/error.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kComplaintBytesMax = 400;

/// What starting came to: a client, or why not.
struct Started {
  std::unique_ptr<Client> client;
  std::exception_ptr failure;
};

// Whatever happens, a client that is not handed out is closed first.
Task<Started> greet(std::unique_ptr<Client> client, Client::Greeting greeting, Deadline deadline) {
  Started started;
  try {
    co_await client->start(greeting, deadline);
  } catch (const Error& error) {
    started.failure = std::make_exception_ptr(with_complaints(error, client->complaints()));
  } catch (...) {
    started.failure = std::current_exception();
  }
  if (!started.failure) {
    started.client = std::move(client);
    co_return started;
  }
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shielded(client->close());
  co_await asio::this_coro::throw_if_cancelled(true);
  co_return started;
}

[[noreturn]] void throw_with(const std::string& suspicion, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    if (suspicion.empty()) throw;
    Error longer(error.code(), fmt::format("{}; {}", error.message(), suspicion), error.retry());
    throw Error(longer.with_status(error.status()).with_detail(error.detail()));
  }
}

bool ended_itself(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.code() == errc::mcp_unavailable;
  } catch (...) {
    return false;
  }
}

}  // namespace

Error with_complaints(const Error& error, std::string_view complaints) {
  if (complaints.size() > kComplaintBytesMax)
    complaints.remove_prefix(complaints.size() - kComplaintBytesMax);
  std::string text = clean_text(complaints);
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\t'; }, ' ');
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string::npos) return error;
  text = text.substr(begin, text.find_last_not_of(' ') - begin + 1);
  Error longer(error.code(), fmt::format("{}; its stderr ends: {}", error.message(), text),
               error.retry());
  return longer.with_status(error.status()).with_detail(error.detail());
}

Task<std::unique_ptr<Client>> connect_stdio(Launcher& launcher, LaunchSpec spec,
                                            StdioChannel::Limits limits, ClientOptions options,
                                            Deadline deadline, Log log) {
  const auto executor = co_await asio::this_coro::executor;
  for (const auto greeting : {Client::Greeting::any, Client::Greeting::legacy}) {
    auto process = co_await launcher.launch(spec);
    auto channel = std::make_unique<StdioChannel>(executor, std::move(process), limits, log);
    auto client = std::make_unique<Client>(std::move(channel), options, log);
    auto started = co_await greet(std::move(client), greeting, deadline);
    if (!started.failure) co_return std::move(started.client);
    const bool once_more = greeting == Client::Greeting::any && ended_itself(started.failure);
    if (!once_more) throw_with(launcher.suspicion(spec), started.failure);
    log.debug("mcp_server_restarted", {{"msg", "it ended when asked for the modern era"}});
  }
  throw Error(errc::internal, "a server was greeted twice without an end");
}

Task<std::unique_ptr<Client>> connect_http(net::HttpClient& http, HttpChannel::Options channel,
                                           ClientOptions options, Deadline deadline, Log log) {
  const auto executor = co_await asio::this_coro::executor;
  auto way = std::make_unique<HttpChannel>(executor, http, std::move(channel), log);
  auto client = std::make_unique<Client>(std::move(way), std::move(options), log);
  auto started = co_await greet(std::move(client), Client::Greeting::any, deadline);
  if (started.failure) std::rethrow_exception(started.failure);
  co_return std::move(started.client);
}

}  // namespace botburrow::mcp
