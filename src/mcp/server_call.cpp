#include "mcp/server_call.hpp"

#include "base/error.hpp"
#include "base/time.hpp"

namespace botburrow::mcp {

Task<std::string> run_call(const ServerRules& rules, json::value id, ServerStep step,
                           CallProgress& progress, Log log) {
  const auto begun = BootClock::now();
  ToolReply reply;
  std::exception_ptr failure;
  try {
    reply = co_await step.tool->handler(std::move(step.arguments), progress);
  } catch (const Error& error) {
    log.error("request_error", {{"tool", step.tool->name}, {"error", error.message()}});
    reply = ToolReply::failed(error.message());
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && is_cancellation(failure)) std::rethrow_exception(failure);
  if (failure) {
    log.error("request_error", {{"tool", step.tool->name}, {"error", describe(failure)}});
    reply = ToolReply::failed("internal error");
  }
  const std::chrono::duration<double, std::milli> took = BootClock::now() - begun;
  if (!step.tool->logs_itself) {
    log.info("tool_call", {{"tool", step.tool->name},
                           {"duration_ms", took.count()},
                           {"outcome", reply.is_error ? "error" : "ok"}});
  }
  co_return rules.call_answer(id, reply, step.modern);
}

}  // namespace botburrow::mcp
