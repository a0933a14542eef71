#include "agent/run_context.hpp"

#include "agent/context.hpp"
#include "agent/metrics.hpp"
#include "base/error.hpp"
#include "base/version.hpp"
#include "definitions/skill.hpp"
#include "tools/tool_server.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::agent {
namespace {

llm::Brain brain_of(const definitions::AgentDefinition& definition) {
  const auto& brain = definition.brain;
  return {.provider = brain.provider,
          .model = brain.model,
          .api_base = brain.api_base,
          .api_key_env = brain.api_key_env};
}

LoopLimits limits_of(const RunContext& context) {
  LoopLimits limits{.iterations_max = context.definition->behavior.max_iterations,
                    .tokens_max = context.settings.tokens_max};
  if (context.settings.iterations_max) {
    limits.iterations_max = std::min(limits.iterations_max, *context.settings.iterations_max);
  }
  return limits;
}

/// The spending of one run. Settling waits, and the hook after an answer cannot: what a call cost
/// is settled before the next one, and once more at the end.
class Spending {
 public:
  explicit Spending(RunContext& context)
      : context_(context),
        price_(context.services.prices.price_of(context.model->provider(),
                                                context.definition->brain.model)),
        guard_(context.services.state, context.services.clock, context.agent(),
               context.settings.caps, price_),
        reserved_(
            AgentMetrics(context.services.metrics).budget_reserved.with({context.agent().str()})) {}
  ~Spending() { release(); }
  Spending(const Spending&) = delete;

  Task<int> before_model(std::int64_t input_estimate) {
    co_await settle();
    const auto output_max =
        co_await guard_.reserve(input_estimate, context_.definition->brain.max_tokens);
    shown_ = llm::raw_cost_usd(price_, {.input = input_estimate, .output = output_max});
    reserved_.add(shown_);
    co_return static_cast<int>(output_max);
  }

  void after_model(const llm::ModelAnswer& answer) {
    const double cost = context_.services.prices.cost_usd(answer);
    unsettled_ += answer.usage;
    unsettled_cost_ += cost;
    auto& tally = context_.tally;
    tally.usage += answer.usage;
    tally.cost_usd += cost;
    tally.provider = answer.provider;
    tally.model = answer.model;
    ++tally.iterations;
  }

  Task<> settle() {
    release();
    const auto used = std::exchange(unsettled_, {});
    const double cost = std::exchange(unsettled_cost_, 0);
    co_await guard_.settle(used, cost);
  }

 private:
  void release() { reserved_.add(-std::exchange(shown_, 0)); }

  RunContext& context_;
  llm::Price price_;
  SpendingGuard guard_;
  MetricValue& reserved_;
  double shown_ = 0;
  llm::Usage unsettled_;
  double unsettled_cost_ = 0;
};

Task<std::shared_ptr<tools::ToolServer>> serve_tools(RunContext& context) {
  co_return std::make_shared<tools::ToolServer>(
      co_await boost::asio::this_coro::executor, context.toolbox,
      tools::ToolServer::Options{.version = std::string(version()),
                                 .deadline = context.deadline,
                                 .after_tool = [&context] { ++context.tally.tool_calls; }},
      context.log);
}

Task<std::shared_ptr<llm::Model>> outside_model(RunContext& context,
                                                std::shared_ptr<tools::ToolServer> served) {
  auto* const outside = context.services.outside;
  if (!outside || !context.place) {
    throw Error(errc::model_unavailable,
                fmt::format("Executor '{}' not available", context.definition->type_name));
  }
  co_return co_await outside->model_for({.definition = context.definition,
                                         .place = *context.place,
                                         .tools = std::move(served),
                                         .turns_max = limits_of(context).iterations_max,
                                         .budget_usd = context.budget_left_usd,
                                         .log = context.log});
}

LoopResult model_missing(const RunContext& context, const Error& error) {
  log_model_error(context.log, context.definition->brain.provider, error);
  return {.end = LoopEnd::model_error,
          .error = end_text(LoopEnd::model_error, error.message()),
          .error_code = error.code()};
}

}  // namespace

bool is_dependency_fault(errc code) {
  return code == errc::model_unavailable || code == errc::model_rate_limited ||
         code == errc::model_auth || code == errc::timeout || code == errc::http_unavailable;
}

Task<std::string> make_system_prompt(RunContext& context, std::string task, std::string community) {
  if (context.mcp) co_await context.mcp->ensure_started(context.toolbox, context.deadline);
  const auto shelf = co_await context.services.skills.all(context.services.clock.now());
  const definitions::SkillRequest request{.wanted = context.definition->capabilities.skills,
                                          .grants = context.grants,
                                          .task = std::move(task),
                                          .community = std::move(community)};
  const auto has_program = [&](const std::string& program) {
    return definitions::program_on_path(program, context.settings.path);
  };
  const auto selection = definitions::select_skills(request, *shelf, has_program);
  for (const auto& skipped : selection.skipped) {
    if (skipped.missing) {
      context.log.warning("skill_not_found", {{"skill", skipped.name}});
    } else {
      context.log.debug("skill_check_failed",
                        {{"skill", skipped.name}, {"reason", skipped.reason}});
    }
  }
  context.log.debug("skills_loaded", {{"count", selection.skills.size()}});
  PromptFacts facts{.skills = definitions::skills_prompt(selection.skills),
                    .budget_line = context.budget_line};
  facts.limits_line = co_await context.writer.limits_left();
  for (const auto& spec : context.toolbox.specs())
    facts.tools.push_back(spec.name);
  co_return system_prompt(*context.definition, facts);
}

Task<LoopResult> think(RunContext& context, std::vector<llm::Message> messages,
                       std::function<void(const llm::ModelAnswer&)> on_answer) {
  const auto& brain = context.definition->brain;
  if (context.mcp) co_await context.mcp->ensure_started(context.toolbox, context.deadline);
  std::shared_ptr<tools::ToolServer> served;
  if (!context.definition->runs_in_loop()) served = co_await serve_tools(context);
  if (!context.model || served) {
    try {
      if (served)
        context.model = co_await outside_model(context, served);
      else
        context.model = co_await context.services.models.model_for(brain_of(*context.definition));
    } catch (const Error& error) {
      if (!is_dependency_fault(error.code())) throw;
      co_return model_missing(context, error);
    }
  }
  LoopTask task{.messages = std::move(messages),
                .max_tokens = brain.max_tokens,
                .temperature = brain.temperature,
                .limits = limits_of(context),
                .tokens_spent = context.tally.usage.input + context.tally.usage.output};
  Spending spending(context);
  LoopHooks hooks{
      .before_model = [&](std::int64_t estimate) { return spending.before_model(estimate); },
      .after_model = [&](const llm::ModelAnswer& answer) { spending.after_model(answer); },
      .on_answer = std::move(on_answer),
      .after_tool = [&] { ++context.tally.tool_calls; },
      .journal = &context.journal};
  LoopResult result;
  std::exception_ptr failure;
  try {
    result = co_await run_loop(std::move(task), context.model, context.toolbox, std::move(hooks),
                               context.deadline, context.log);
  } catch (const Error&) {
    failure = std::current_exception();
  }
  // To the loop it was one more model that failed.
  if (!failure && served) failure = served->failure();
  try {
    co_await spending.settle();
  } catch (const Error&) {
    if (!failure) throw;
  }
  if (failure) std::rethrow_exception(failure);
  co_return result;
}

}  // namespace botburrow::agent
