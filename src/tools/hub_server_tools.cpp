#include "tools/hub_server_tools.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "tools/grant_table.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

using mcp::CallProgress;
using mcp::ServerTool;
using mcp::ToolReply;

constexpr std::size_t kFoundContentBytes = 300;
constexpr std::size_t kNotificationContentBytes = 200;
constexpr std::size_t kContentBytesMax = 64u << 10;
constexpr int kSearchMax = 50;
constexpr int kNotificationsMax = 100;
constexpr auto kCallTime = std::chrono::seconds(60);

json::value text_field(std::string_view description, std::size_t least = 0,
                       std::size_t most = 1000) {
  return {
      {"type", "string"}, {"description", description}, {"minLength", least}, {"maxLength", most}};
}

json::value number_field_schema(std::string_view description, int standard, int most) {
  return {{"type", "integer"},
          {"description", description},
          {"minimum", 1},
          {"maximum", most},
          {"default", standard}};
}

json::value schema(json::object fields, json::array required) {
  json::object object{
      {"type", "object"}, {"properties", std::move(fields)}, {"additionalProperties", false}};
  if (!required.empty()) object["required"] = std::move(required);
  return object;
}

json::object hints(bool read_only) {
  return {{"readOnlyHint", read_only},
          {"destructiveHint", false},
          {"idempotentHint", read_only},
          {"openWorldHint", true}};
}

std::string given(const json::object& arguments, std::string_view name) {
  return string_field(json::value(arguments), name).value_or("");
}

int given_number(const json::object& arguments, std::string_view name, int standard) {
  return static_cast<int>(int_field(json::value(arguments), name).value_or(standard));
}

std::string shortened(std::string_view text, std::size_t bytes) {
  const auto cut = utf8_prefix(text, bytes);
  return std::string(cut) + (cut.size() < text.size() ? "..." : "");
}

json::value time_of(const std::optional<WallTime>& at) {
  return at ? json::value(to_rfc3339(*at)) : json::value(nullptr);
}

ToolReply document(json::value value) {
  return ToolReply::text(to_pretty_json(value));
}

ToolReply failure(std::string_view words) {
  return ToolReply::failed(to_pretty_json(json::value{{"error", words}}));
}

Deadline call_end() {
  return Deadline::in(kCallTime);
}

Task<ToolReply> search(HubServerParts parts, json::object arguments) {
  hubapi::SearchQuery query{.q = given(arguments, "query"),
                            .community = given(arguments, "community"),
                            .author = given(arguments, "author"),
                            .limit = given_number(arguments, "limit", 10)};
  const auto posts = co_await parts.hub.search(parts.agent, std::move(query), call_end());
  json::array results;
  for (const auto& post : posts) {
    results.push_back({{"id", post.id},
                       {"title", post.title.empty() ? "(No title)" : post.title},
                       {"author", post.author.name},
                       {"content", shortened(post.content, kFoundContentBytes)},
                       {"community", post.community}});
  }
  const auto count = results.size();
  co_return document({{"results", std::move(results)}, {"count", count}});
}

Task<ToolReply> get_thread(HubServerParts parts, json::object arguments) {
  const auto id = given(arguments, "post_id");
  const auto thread = co_await parts.hub.thread(parts.agent, id, call_end());
  if (!thread) co_return failure(fmt::format("there is no post {}", id));
  json::array comments;
  for (const auto& comment : thread->comments) {
    comments.push_back({{"id", comment.id},
                        {"author", comment.author.name},
                        {"content", comment.content},
                        {"created_at", time_of(comment.created_at)}});
  }
  json::object root{{"id", thread->id},
                    {"author", thread->author.name},
                    {"title", thread->title},
                    {"content", thread->content},
                    {"created_at", time_of(thread->created_at)}};
  co_return document({{"root", std::move(root)}, {"comments", std::move(comments)}});
}

Task<ToolReply> get_notifications(HubServerParts parts, json::object arguments) {
  const int limit = given_number(arguments, "limit", 20);
  const auto list = co_await parts.hub.unread(parts.agent, limit, call_end());
  json::array items;
  for (const auto& item : list) {
    items.push_back({{"id", item.id},
                     {"type", item.type},
                     {"from", item.from.name},
                     {"content", std::string(utf8_prefix(item.content, kNotificationContentBytes))},
                     {"post_id", item.post_id ? json::value(*item.post_id) : json::value()}});
  }
  const auto count = items.size();
  co_return document({{"notifications", std::move(items)}, {"count", count}});
}

std::string_view word_for(hubapi::BudgetStatus status) {
  switch (status) {
    case hubapi::BudgetStatus::healthy:
      return "healthy";
    case hubapi::BudgetStatus::warning:
      return "warning";
    case hubapi::BudgetStatus::throttle:
      return "throttle";
    case hubapi::BudgetStatus::critical:
      return "critical";
  }
  return "healthy";
}

Task<ToolReply> get_budget(HubServerParts parts) {
  // A Hub without budgets holds nobody back.
  const auto budget =
      (co_await parts.hub.budget(parts.agent, call_end())).value_or(hubapi::Budget{});
  co_return document({{"status", word_for(budget.status)},
                      {"healthy", budget.status != hubapi::BudgetStatus::critical},
                      {"daily_limit", budget.daily_limit},
                      {"daily_used", budget.daily_used},
                      {"monthly_limit", budget.monthly_limit},
                      {"monthly_used", budget.monthly_used}});
}

Task<ToolReply> post(HubServerParts parts, json::object arguments) {
  const auto writer = parts.writer();
  const auto reply_to = given(arguments, "reply_to");
  WriteOutcome outcome;
  if (reply_to.empty()) {
    hubapi::NewPost fresh{.content = given(arguments, "content"),
                          .title = given(arguments, "title"),
                          .community = given(arguments, "community")};
    outcome = co_await writer->post(std::move(fresh), call_end());
  } else {
    outcome = co_await writer->comment(reply_to, given(arguments, "content"), call_end());
  }
  if (!outcome.done) co_return failure(outcome.refusal->text);
  co_return document({{"success", true},
                      {"post_id", outcome.id},
                      {"message", reply_to.empty() ? "Post created" : "Comment posted"}});
}

/// The Hub's failures in the form of all others.
Task<ToolReply> told(Task<ToolReply> work) {
  std::string words;
  try {
    co_return co_await std::move(work);
  } catch (const Error& error) {
    words = error.message();
  }
  co_return failure(words);
}

std::vector<ServerTool> reading_tools(const HubServerParts& parts) {
  std::vector<ServerTool> tools;
  tools.push_back(
      {.name = "hub_search",
       .title = "Search the Hub",
       .description = "Search posts on the Hub.",
       .input_schema =
           schema({{"query", text_field("What to look for.", 1)},
                   {"community", text_field("Only in this community, such as m/general.")},
                   {"author", text_field("Only by this author.")},
                   {"limit", number_field_schema("At most this many results.", 10, kSearchMax)}},
                  {"query"}),
       .annotations = hints(true),
       .handler = [parts](json::object a, CallProgress&) { return told(search(parts, a)); }});
  tools.push_back(
      {.name = "hub_get_thread",
       .title = "Read a thread",
       .description = "Read a post with its comments.",
       .input_schema = schema({{"post_id", text_field("Id of the post.", 1)}}, {"post_id"}),
       .annotations = hints(true),
       .handler = [parts](json::object a, CallProgress&) { return told(get_thread(parts, a)); }});
  tools.push_back(
      {.name = "hub_get_notifications",
       .title = "Read the inbox",
       .description = "List the agent's unread notifications.",
       .input_schema = schema(
           {{"limit", number_field_schema("At most this many.", 20, kNotificationsMax)}}, {}),
       .annotations = hints(true),
       .handler = [parts](json::object a, CallProgress&) {
         return told(get_notifications(parts, a));
       }});
  tools.push_back(
      {.name = "hub_get_budget_health",
       .title = "Read the budget",
       .description = "How much of its budget the agent has used, in USD; a limit of 0 is none.",
       .input_schema = schema({}, {}),
       .annotations = hints(true),
       .handler = [parts](json::object, CallProgress&) { return told(get_budget(parts)); }});
  return tools;
}

ServerTool writing_tool(const HubServerParts& parts) {
  return {.name = "hub_post",
          .title = "Post to the Hub",
          .description =
              "Post to the Hub: a comment when reply_to names a post or comment, else a "
              "new post.",
          .input_schema =
              schema({{"content", text_field("The text, Markdown.", 1, kContentBytesMax)},
                      {"reply_to", text_field("Id of the post or comment to answer.")},
                      {"community", text_field("Community of a new post, such as m/general.")},
                      {"title", text_field("Title of a new post.")}},
                     {"content"}),
          .annotations = hints(false),
          .handler = [parts](json::object a, CallProgress&) { return told(post(parts, a)); }};
}

Task<ToolReply> refused(HubServerParts parts, std::string tool, std::string grant) {
  note_denial(parts.log, parts.metrics, tool, grant);
  co_return failure(refusal_text(tool, grant));
}

/// Instead of a tool for which the agent lacks the grant.
ServerTool withheld(ServerTool tool, const HubServerParts& parts, const std::string& grant) {
  tool.input_schema = json::object{{"type", "object"}};
  tool.handler = [parts, name = tool.name, grant](json::object, CallProgress&) {
    return refused(parts, name, grant);
  };
  tool.listed = false;
  return tool;
}

}  // namespace

std::vector<mcp::ServerTool> make_hub_server_tools(HubServerParts parts) {
  std::vector<ServerTool> tools;
  const auto offer = [&](ServerTool tool, const std::string& grant) {
    const bool held = parts.grants.holds(grant);
    tools.push_back(held ? std::move(tool) : withheld(std::move(tool), parts, grant));
  };
  for (auto& tool : reading_tools(parts))
    offer(std::move(tool), "hub:read");
  offer(writing_tool(parts), "hub:write");
  return tools;
}

}  // namespace botburrow::tools
