#include "console/console.hpp"

#include "base/error.hpp"
#include "console/core.hpp"

namespace botburrow::console {
namespace {

Refusal refusal_of(const Error& error) {
  switch (error.code()) {
    case errc::invalid_argument:
    case errc::bad_input:
    case errc::usage:
      return {.status = 400, .code = "invalid_argument", .text = error.message()};
    case errc::not_found:
      return {.status = 404, .code = "not_found", .text = error.message()};
    case errc::already_exists:
      return {.status = 409, .code = "conflict", .text = error.message()};
    case errc::redis_unavailable:
    case errc::http_unavailable:
    case errc::timeout:
    case errc::limit:
      return {.status = 503, .code = std::string(name_of(error.code())), .text = error.message()};
    default:
      break;
  }
  return {.status = 500, .code = "internal", .text = "internal error; the log says more"};
}

net::ServerResponse answer_of(const Log& log, const net::ServerRequest& request,
                              const Error& error) {
  const auto refusal = refusal_of(error);
  if (refusal.status == 500) {
    log.error("http_handler_failed", {{"route", request.route},
                                      {"method", request.method},
                                      {"error", error.message()},
                                      {"error_type", name_of(error.code())}});
  }
  return answer(refusal);
}

}  // namespace

struct Console::Impl {
  Impl(boost::asio::any_io_executor executor, ConsoleOptions options, ConsoleParts parts, Log log,
       Metrics& metrics)
      : core(executor, std::move(options), std::move(parts), log, metrics),
        tasks(executor, [log](const std::string& name, std::exception_ptr failure) {
          log.error("console_task_failed", {{"task", name}, {"error", describe(failure)}});
        }) {}

  Core core;
  TaskGroup tasks;  // last: its tasks use all of the above
};

Console::Console(boost::asio::any_io_executor executor, ConsoleOptions options, ConsoleParts parts,
                 Log log, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options), std::move(parts),
                                   std::move(log), metrics)) {}
Console::~Console() = default;

void Console::add_routes(net::HttpServer& server) {
  Routes routes(impl_->core, server);
  add_state_routes(routes);
  add_list_routes(routes);
  add_agent_routes(routes);
  add_transcript_routes(routes);
  add_act_routes(routes);
  add_page_routes(routes);
  server.on_error([log = impl_->core.log](const net::ServerRequest& request, const Error& error) {
    return answer_of(log, request, error);
  });
}

void Console::start() {
  impl_->tasks.spawn("board", [impl = impl_.get()] { return impl->core.board.loop(); });
}

Task<> Console::stop() {
  return impl_->tasks.stop();
}

}  // namespace botburrow::console
