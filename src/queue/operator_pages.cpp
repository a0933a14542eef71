#include "queue/operator_pages.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "net/redis.hpp"
#include "queue/activation_record.hpp"
#include "queue/scripts.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

namespace botburrow::queue {
namespace {

using net::Redis;
using net::RedisReply;

Deadline soon() {
  return Deadline::in(std::chrono::seconds(5));
}

const RedisReply& checked(const RedisReply& reply) {
  if (const auto* failure = std::get_if<RedisReply::Failure>(&reply.value))
    throw Error(errc::redis_error, "Redis: " + failure->text);
  return reply;
}

Waiting waiting_of(Priority queue, const std::string& element) {
  return {.queue = queue, .element = element, .item = decode_item(element), .due = std::nullopt};
}

// "<fence> <attempt> <queue> <runner> <activation> <work>", LF, the element.
WorkId work_of(const std::string& line) {
  std::istringstream words(line.substr(0, line.find('\n')));
  const std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
  return WorkId(all.size() == 6 ? all[5] : "");
}

LastWord last_word_of(const std::string& text) {
  const auto parsed = try_parse_json(text);
  if (!parsed) return {};
  return {.at = string_field(*parsed, "at").value_or(""),
          .outcome = string_field(*parsed, "outcome").value_or(""),
          .reason = string_field(*parsed, "reason").value_or("")};
}

Redis::Args asked_of_hash(const char* key, const std::vector<std::string>& fields) {
  Redis::Args args{"HMGET", key};
  args.insert(args.end(), fields.begin(), fields.end());
  return args;
}

std::vector<std::string> texts_of(const RedisReply& reply) {
  std::vector<std::string> texts;
  for (const auto& element : checked(reply).array())
    texts.push_back(text_of_reply(element));
  return texts;
}

}  // namespace

Task<std::vector<Waiting>> OperatorPages::waiting(Priority queue, PageAsk ask) {
  std::vector<Waiting> page;
  if (ask.limit == 0) co_return page;
  const auto first = static_cast<std::int64_t>(ask.offset);
  const auto count = static_cast<std::int64_t>(ask.limit);
  // The right end is taken first.
  const auto reply = co_await redis_.command(
      {"LRANGE", queue_key(queue), fmt::to_string(-first - count), fmt::to_string(-first - 1)},
      soon());
  const auto& elements = reply.array();
  for (auto element = elements.rbegin(); element != elements.rend(); ++element)
    page.push_back(waiting_of(queue, element->str()));
  co_return page;
}

Task<std::vector<Waiting>> OperatorPages::deferred(PageAsk ask) {
  std::vector<Waiting> page;
  if (ask.limit == 0) co_return page;
  const auto reply =
      co_await redis_.command({"ZRANGE", "work:deferred", fmt::to_string(ask.offset),
                               fmt::to_string(ask.offset + ask.limit - 1), "WITHSCORES"},
                              soon());
  const auto& fields = reply.array();
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    Waiting entry = waiting_of(Priority::normal, fields[i].str());
    if (entry.item) entry.queue = entry.item->priority;
    entry.due = decimal_of(fields[i + 1].str());
    page.push_back(std::move(entry));
  }
  co_return page;
}

Task<OperatorPages::Ended> OperatorPages::ended(PageAsk ask) {
  std::vector<Redis::Args> commands{{"LLEN", "activation:results"}};
  if (ask.limit > 0) {
    commands.push_back({"LRANGE", "activation:results", fmt::to_string(ask.offset),
                        fmt::to_string(ask.offset + ask.limit - 1)});
  }
  const auto replies = co_await redis_.pipeline(std::move(commands), soon());
  Ended page{.total = checked(replies.at(0)).integer()};
  if (ask.limit == 0) co_return page;
  for (const auto& element : texts_of(replies.at(1))) {
    ++page.read;
    if (auto result = decode_result(element)) page.results.push_back(std::move(*result));
  }
  co_return page;
}

Task<std::vector<ActiveActivation>> OperatorPages::activations(
    std::vector<std::pair<std::string, std::string>> agents_and_runners) {
  std::vector<ActiveActivation> all;
  if (agents_and_runners.empty()) co_return all;
  Redis::Args args{"MGET"};
  for (const auto& [agent, runner] : agents_and_runners)
    args.push_back("agent:activation:" + agent);
  const auto reply = co_await redis_.command(std::move(args), soon());
  const auto records = texts_of(reply);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto& [agent, runner] = agents_and_runners.at(i);
    all.push_back(activation_of(agent, runner, records[i]));
  }
  co_return all;
}

Task<std::vector<WorkId>> OperatorPages::works(std::vector<std::string> agents) {
  std::vector<WorkId> all;
  if (agents.empty()) co_return all;
  const auto reply = co_await redis_.command(asked_of_hash("work:processing", agents), soon());
  for (const auto& line : texts_of(reply))
    all.push_back(work_of(line));
  co_return all;
}

Task<std::vector<std::vector<std::string>>> OperatorPages::tails(std::vector<TailAsk> asks,
                                                                 std::int64_t lines_max) {
  std::vector<std::vector<std::string>> all;
  if (asks.empty()) co_return all;
  std::vector<Redis::Args> commands;
  for (const auto& ask : asks) {
    commands.push_back({"LRANGE", "journal:" + ask.work.str(), fmt::to_string(ask.from),
                        fmt::to_string(ask.from + lines_max - 1)});
  }
  for (const auto& reply : co_await redis_.pipeline(std::move(commands), soon()))
    all.push_back(texts_of(reply));
  co_return all;
}

Task<std::map<std::string, std::string>> OperatorPages::queued() {
  const auto reply = co_await redis_.command({"HGETALL", "work:queued"}, soon());
  const auto fields = texts_of(reply);
  std::map<std::string, std::string> all;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2)
    all.insert_or_assign(fields[i], fields[i + 1]);
  co_return all;
}

Task<std::vector<LastWord>> OperatorPages::last_words(std::vector<std::string> agents) {
  std::vector<LastWord> all;
  if (agents.empty()) co_return all;
  const auto reply = co_await redis_.command(asked_of_hash("work:why", agents), soon());
  for (const auto& text : texts_of(reply))
    all.push_back(last_word_of(text));
  co_return all;
}

}  // namespace botburrow::queue
