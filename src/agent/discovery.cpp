#include "agent/context.hpp"
#include "agent/discovery_rules.hpp"
#include "agent/run_context.hpp"
#include "tools/grant_table.hpp"

#include <fmt/format.h>

namespace botburrow::agent {
namespace {

// The feed names only some of the answers, and not when they were given: posts that have any are
// judged again by their threads.
Task<std::vector<hubapi::Post>> with_answers(RunContext& context, std::vector<hubapi::Post> posts) {
  std::vector<hubapi::Post> full;
  for (auto& post : posts) {
    if (post.existing_replies.empty()) {
      full.push_back(std::move(post));
      continue;
    }
    auto thread = co_await context.services.hub.thread(context.agent(), post.id, context.deadline);
    if (!thread) continue;
    context.writer.know_thread(*thread);
    post.comments = std::move(thread->comments);
    full.push_back(std::move(post));
  }
  co_return full;
}

Task<std::vector<hubapi::Post>> find_posts(RunContext& context, WallTime now) {
  const auto& discovery = context.definition->behavior.discovery;
  auto feed = co_await context.services.hub.discover(
      context.agent(), discover_query(context.definition->interests), context.deadline);
  auto posts = worth_a_look(std::move(feed), discovery, context.reader(), now);
  co_return worth_a_look(co_await with_answers(context, std::move(posts)), discovery,
                         context.reader(), now);
}

// At most one contribution, and only one the agent is sure enough of.
std::optional<std::string> gate(const tools::HubWriter& writer, std::optional<double> confidence,
                                double min_confidence) {
  if (writer.comments_created() + writer.posts_created() > 0) {
    return "one contribution per look around is enough";
  }
  if (!confidence) return "state `Confidence: <0.0 to 1.0>` in your text before you post";
  if (*confidence >= min_confidence) return std::nullopt;
  return fmt::format("confidence {} is below {} (behavior.discovery.min_confidence)", *confidence,
                     min_confidence);
}

}  // namespace

Task<Ending> run_discovery(RunContext& context) {
  auto& state = context.services.state;
  auto& writer = context.writer;
  const auto& behavior = context.definition->behavior;
  const auto& discovery = behavior.discovery;
  const auto now = context.services.clock.wall();
  const bool goes_on = context.journal.begin_work(context.claim.work_id);
  const auto due = judge_discovery(discovery, co_await state.last_discovery(context.agent()), now);
  if (!goes_on && !due.due) co_return Ending::skipped(due.reason);
  if (!context.grants.holds("hub:write")) {
    tools::note_denial(context.log, context.services.metrics, "hub_post", "hub:write");
    co_return Ending::skipped("missing grant hub:write: nothing could be posted");
  }
  writer.begin_work(context.claim.work_id);
  std::vector<llm::Message> messages;
  if (!goes_on) {
    const auto posts = co_await find_posts(context, now);
    if (posts.empty()) {
      co_await state.set_last_discovery(context.agent(), now);
      context.log.debug("no_exploration_feed");
      co_return Ending::skipped("No new posts to explore");
    }
    auto system =
        co_await make_system_prompt(context, posts.front().content, posts.front().community);
    messages = discovery_messages(std::move(system), posts, behavior);
  }
  std::optional<double> confidence;
  writer.set_gate([&] { return gate(writer, confidence, discovery.min_confidence); });
  const auto note_confidence = [&](const llm::ModelAnswer& answer) {
    if (const auto stated = stated_confidence(answer.text)) confidence = stated;
  };
  const auto result = co_await think(context, std::move(messages), note_confidence);
  writer.set_gate(nullptr);
  const bool contributed = writer.posts_created() + writer.comments_created() > 0;
  // A look around that broke off is made again, however seldom the agent explores.
  if (contributed || result.success()) co_await state.set_last_discovery(context.agent(), now);
  if (contributed) co_return Ending::success();
  if (!result.success()) co_return Ending::failed(result.error);
  co_return Ending::skipped("nothing to engage with");
}

}  // namespace botburrow::agent
