#include "tests/support/foreign_hub.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace botburrow::test {

using net::ServerRequest;
using net::ServerResponse;

namespace {

constexpr std::size_t kListMax = 100;

ServerResponse answer(int status, const json::value& body) {
  return ServerResponse::json(status, to_json(body));
}

std::size_t number(const ServerRequest& request, std::string_view name, std::size_t otherwise) {
  const auto text = request.query_value(name).value_or("");
  std::size_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One page of a list, with `total` instead of a cursor.
ServerResponse page(const ServerRequest& request, const char* name,
                    const std::vector<json::value>& all) {
  const auto offset = std::min(number(request, "offset", 0), all.size());
  const auto limit = std::min(number(request, "limit", kListMax), kListMax);
  json::array part;
  for (std::size_t i = offset; i < std::min(all.size(), offset + limit); ++i)
    part.push_back(all[i]);
  return answer(200, {{name, std::move(part)}, {"total", all.size()}});
}

}  // namespace

ForeignHub::ForeignHub(boost::asio::any_io_executor executor, std::uint64_t seed)
    : random_(seed), server_(std::move(executor), {.body_bytes_max = 4u << 20}, Log::none()) {
  add_routes();
}

Task<> ForeignHub::stop() {
  co_await server_.stop(std::chrono::seconds(0));
}

std::string ForeignHub::stamp() {
  const int second = seconds_++;
  return fmt::format("2026-02-07T{:02}:{:02}:{:02}+00:00", 10 + second / 3600, second / 60 % 60,
                     second % 60);
}

std::string ForeignHub::add_agent(std::string name) {
  agents_.push_back({.id = random_.uuid4(), .name = std::move(name)});
  return agents_.back().id;
}

std::string ForeignHub::add_post(std::string author_id, std::string content) {
  posts_.push_back({.id = random_.uuid4(),
                    .author_id = std::move(author_id),
                    .title = "A post",
                    .content = std::move(content),
                    .community = "m/general",
                    .created_at = stamp()});
  return posts_.back().id;
}

std::string ForeignHub::notify(std::string agent_id, std::string type, std::string post_id,
                               std::string content) {
  notes_.push_back({.id = random_.uuid4(),
                    .agent_id = std::move(agent_id),
                    .type = std::move(type),
                    .post_id = std::move(post_id),
                    .content = std::move(content),
                    .created_at = stamp(),
                    .from = {.id = random_.uuid4(), .name = "somebody"}});
  return notes_.back().id;
}

void ForeignHub::fail(std::string path, int status, int count, std::string retry_after) {
  faults_.push_back({.path = std::move(path),
                     .when = When::instead,
                     .status = status,
                     .left = count,
                     .text = std::move(retry_after)});
}
void ForeignHub::fail_after_commit(std::string path, int status, int count) {
  faults_.push_back({.path = std::move(path),
                     .when = When::after_commit,
                     .status = status,
                     .left = count,
                     .text = {}});
}
void ForeignHub::garble(std::string path, std::string body, int count) {
  faults_.push_back({.path = std::move(path),
                     .when = When::garbled,
                     .status = 200,
                     .left = count,
                     .text = std::move(body)});
}
void ForeignHub::forgive() {
  faults_.clear();
  slow_ = std::chrono::milliseconds(0);
}

ForeignHub::Fault* ForeignHub::fault_for(const std::string& path) {
  for (auto& fault : faults_) {
    if (fault.left <= 0 || !path.starts_with(fault.path)) continue;
    --fault.left;
    return &fault;
  }
  return nullptr;
}

std::size_t ForeignHub::count(std::string_view method, std::string_view path_begin) const {
  return static_cast<std::size_t>(std::ranges::count_if(calls_, [&](const Call& call) {
    return call.method == method && call.path.starts_with(path_begin);
  }));
}

std::size_t ForeignHub::unread(const std::string& agent_id) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      notes_, [&](const Note& note) { return note.agent_id == agent_id && !note.read; }));
}

const ForeignHub::Agent* ForeignHub::find(const std::string& id) const {
  const auto found =
      std::ranges::find_if(agents_, [&](const Agent& agent) { return agent.id == id; });
  return found != agents_.end() ? &*found : nullptr;
}

json::value ForeignHub::agent_json(const Agent& agent) const {
  json::object out{
      {"id", agent.id}, {"name", agent.name}, {"notification_count", unread(agent.id)}};
  out["last_activated_at"] =
      agent.activated ? json::value("2026-02-07T12:00:00.000000+00:00") : json::value(nullptr);
  return out;
}

json::value ForeignHub::entry_json(const Entry& entry) const {
  const auto* author = find(entry.author_id);
  json::object out{
      {"id", entry.id},
      {"author", {{"id", entry.author_id}, {"name", author ? author->name : "somebody"}}},
      {"content", entry.content},
      {"created_at", entry.created_at}};
  if (!entry.title.empty()) out["title"] = entry.title;
  if (!entry.community.empty()) out["community"] = entry.community;
  if (!entry.post_id.empty()) out["parent_id"] = entry.post_id;
  return out;
}

ServerResponse ForeignHub::agents(const ServerRequest& request) const {
  std::vector<json::value> list;
  const bool stale = request.query_value("stale") == "true";
  const bool waiting = request.query_value("has_notifications") == "true";
  for (const auto& agent : agents_) {
    if (waiting && unread(agent.id) == 0) continue;
    if (stale && agent.activated) continue;
    list.push_back(agent_json(agent));
  }
  return page(request, "agents", list);
}

ServerResponse ForeignHub::notifications(const ServerRequest& request) const {
  std::vector<json::value> list;
  const auto owner = request.query_value("agent_id").value_or("");
  for (auto note = notes_.rbegin(); note != notes_.rend(); ++note) {
    if (note->agent_id != owner || (note->read && request.query_value("unread") == "true"))
      continue;
    list.push_back({{"id", note->id},
                    {"type", note->type},
                    {"post_id", note->post_id},
                    {"content", note->content},
                    {"from_agent", {{"id", note->from.id}, {"name", note->from.name}}},
                    {"created_at", note->created_at},
                    {"read", note->read},
                    {"karma", 7}});
  }
  return page(request, "notifications", list);
}

ServerResponse ForeignHub::thread(const ServerRequest& request) const {
  const auto post = std::ranges::find_if(
      posts_, [&](const Entry& entry) { return entry.id == request.params.at("id"); });
  if (post == posts_.end()) return answer(404, {{"detail", "Post not found"}});
  auto out = entry_json(*post);
  if (request.query_value("include_comments") == "true") {
    json::array list;
    for (const auto& comment : comments_) {
      if (comment.post_id == post->id) list.push_back(entry_json(comment));
    }
    out.as_object()["comments"] = std::move(list);
  }
  return answer(200, out);
}

ServerResponse ForeignHub::write(const json::value& body, std::string post_id) {
  const auto content = string_field(body, "content").value_or("");
  if (content.empty()) return answer(422, {{"detail", "content: field required"}});
  auto& list = post_id.empty() ? posts_ : comments_;
  list.push_back({.id = random_.uuid4(),
                  .post_id = std::move(post_id),
                  .author_id = string_field(body, "agent_id").value_or(""),
                  .title = string_field(body, "title").value_or(""),
                  .content = content,
                  .community = string_field(body, "community").value_or(""),
                  .created_at = stamp()});
  return answer(201, {{"id", list.back().id}, {"created_at", list.back().created_at}});
}

void ForeignHub::on(std::string method, std::string path, Answer given) {
  server_.route(std::move(method), "/api/v1" + path,
                [this, given](ServerRequest request) { return serve(std::move(request), given); });
}

Task<ServerResponse> ForeignHub::serve(ServerRequest request, const Answer& given) {
  const auto index = calls_.size();
  const auto header = [&](std::string_view name) { return request.header(name).value_or(""); };
  const auto body = try_parse_json(request.body).value_or(nullptr);
  calls_.push_back({.method = request.method,
                    .path = request.path.substr(std::string_view("/api/v1").size()),
                    .query = request.query,
                    .body = body,
                    .authorization = header("authorization"),
                    .fence = header("botburrow-fence"),
                    .idempotency_key = header("idempotency-key")});
  if (slow_.count() > 0) co_await sleep_for(slow_);
  const auto* found = fault_for(calls_[index].path);
  const auto fault = found ? std::optional(*found) : std::nullopt;
  ServerResponse response;
  if (!fault || fault->when != When::instead) response = given(request, body);
  if (fault && fault->when == When::garbled) {
    response = ServerResponse::text(200, fault->text, "application/json");
  } else if (fault) {
    response = answer(fault->status, {{"detail", fmt::format("simulated {}", fault->status)}});
    if (!fault->text.empty()) response.headers.emplace_back("Retry-After", fault->text);
  }
  calls_[index].answered = response.status;
  co_return response;
}

void ForeignHub::add_routes() {
  on("GET", "/agents", [this](const auto& request, const auto&) { return agents(request); });
  on("GET", "/notifications",
     [this](const auto& request, const auto&) { return notifications(request); });
  on("GET", "/posts/:id", [this](const auto& request, const auto&) { return thread(request); });
  on("POST", "/posts", [this](const auto&, const auto& body) { return write(body, ""); });
  on("POST", "/posts/:id/comments", [this](const auto& request, const auto& body) {
    return write(body, request.params.at("id"));
  });
  on("POST", "/notifications/read", [this](const auto&, const auto& body) {
    for (const auto& id : array_field(body, "notification_ids")) {
      for (auto& note : notes_)
        note.read = note.read || (id.is_string() && note.id == id.as_string().c_str());
    }
    return ServerResponse::text(200, "OK", "text/plain");
  });
  on("GET", "/search", [this](const auto& request, const auto&) {
    json::array list;
    for (const auto& post : posts_) {
      if (post.content.find(request.query_value("q").value_or("")) != std::string::npos)
        list.push_back(entry_json(post));
    }
    return answer(200, {{"results", std::move(list)}});
  });
  on("GET", "/feed/discover", [this](const auto&, const auto&) {
    json::array list;
    for (const auto& post : posts_)
      list.push_back(entry_json(post));
    return answer(200, {{"posts", std::move(list)}});
  });
  on("GET", "/system/budget-health", [](const auto&, const auto&) {
    return answer(200, {{"daily_limit", 5.0},
                        {"daily_used", 0.5},
                        {"monthly_limit", 100},
                        {"monthly_used", 1},
                        {"healthy", true}});
  });
  // Not known here; a route all the same, so that faults befall it and the ledger has it.
  on("GET", "/system/generation",
     [](const auto&, const auto&) { return answer(404, {{"detail", "Not Found"}}); });
  on("POST", "/system/consumption", [this](const auto&, const auto& body) {
    consumption_.push_back(body);
    return answer(200, {{"ok", true}});
  });
  on("POST", "/agents/:id/activated", [this](const auto& request, const auto&) {
    for (auto& agent : agents_)
      agent.activated = agent.activated || agent.id == request.params.at("id");
    return find(request.params.at("id")) ? answer(200, json::object())
                                         : answer(404, {{"detail", "Agent not found"}});
  });
}

}  // namespace botburrow::test
