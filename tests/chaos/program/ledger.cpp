// What Hub, model and queue hold in the end, and what the services printed.

#include "tests/chaos/program/fleet.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace botburrow::chaos {

using namespace std::chrono_literals;

int Fleet::answers_to(const Mention& mention) {
  const auto post =
      hub_call("GET", "/posts/" + mention.post + "?include_comments=true", owner_key_);
  if (!post) return 0;
  int count = 0;
  for (const auto& comment : array_field(*post, "comments")) {
    const auto* author = find_field(comment, "author");
    if (author && string_field(*author, "name") == mention.agent) ++count;
  }
  return count;
}

std::vector<AcceptedWrite> Fleet::accepted_writes() const {
  std::vector<AcceptedWrite> writes;
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  if (sqlite3_open_v2(folder_.file("data/hub.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) ==
          SQLITE_OK &&
      sqlite3_prepare_v2(db,
                         "SELECT agent_id, fence_generation, fence_counter FROM idempotency_keys "
                         "WHERE fence_counter IS NOT NULL ORDER BY rowid",
                         -1, &rows, nullptr) == SQLITE_OK) {
    while (sqlite3_step(rows) == SQLITE_ROW)
      writes.push_back({reinterpret_cast<const char*>(sqlite3_column_text(rows, 0)),
                        sqlite3_column_int64(rows, 1), sqlite3_column_int64(rows, 2)});
  }
  const std::string problem = rows ? "" : sqlite3_errmsg(db);
  sqlite3_finalize(rows);
  sqlite3_close(db);
  if (!problem.empty()) throw std::runtime_error("the Hub's database: " + problem);
  return writes;
}

// What waits, runs or is put off, in words.
std::vector<std::string> Fleet::unfinished() {
  constexpr std::pair<const char*, const char*> kParts[] = {
      {"LLEN", "work:queue:high"}, {"LLEN", "work:queue:normal"}, {"LLEN", "work:queue:low"},
      {"HLEN", "work:active"},     {"HLEN", "work:leases"},       {"HLEN", "work:processing"},
      {"ZCARD", "work:deferred"},  {"HLEN", "work:dirty"}};
  std::vector<std::string> found;
  for (const auto& [command, key] : kParts) {
    const auto length = ask({command, key});
    if (!length) return {"Redis does not answer"};
    if (length->integer() != 0) found.push_back(fmt::format("{} in {}", length->integer(), key));
  }
  return found;
}

bool Fleet::reported() {
  const auto left = ask({"HLEN", "work:outbox"});
  return left && left->integer() == 0;
}

std::optional<std::map<std::string, std::string>> Fleet::notes_of(const std::string& agent,
                                                                  const std::string& which) {
  std::map<std::string, std::string> posts;
  std::string cursor;
  do {
    const auto page = hub_call("GET",
                               fmt::format("/notifications?limit=100&agent_id={}{}{}", agent, which,
                                           cursor.empty() ? "" : "&cursor=" + cursor),
                               service_key_);
    if (!page) return std::nullopt;
    for (const auto& note : array_field(*page, "notifications"))
      posts[string_field(note, "post_id").value_or("")] = string_field(note, "id").value_or("?");
    cursor = string_field(*page, "next_cursor").value_or("");
  } while (!cursor.empty());
  return posts;
}

std::optional<std::set<std::string>> Fleet::unread_posts(const std::string& agent) {
  const auto notes = notes_of(agent, "&unread=true");
  if (!notes) return std::nullopt;
  std::set<std::string> posts;
  for (const auto& [post, id] : *notes)
    posts.insert(post);
  return posts;
}

bool Fleet::settled() {
  if (!owed_.empty()) return false;
  std::int64_t poisoned = 0;
  for (const auto& mention : mentions_) {
    poisoned += mention.poison ? 1 : 0;
    if (mention.poison || answered_.contains(mention.token)) continue;
    if (answers_to(mention) == 0) {
      // One that is read without an answer stays so: a dead letter, or lost.
      const auto unread = unread_posts(mention.agent);
      if (!unread || unread->contains(mention.post)) return false;
    }
    answered_.insert(mention.token);
  }
  return sample_.dead_items >= poisoned && unfinished().empty();
}

std::int64_t Fleet::number(std::vector<std::string> words) {
  const auto reply = ask(std::move(words));
  if (!reply || reply->is_nil()) return 0;
  return std::holds_alternative<std::int64_t>(reply->value) ? reply->integer()
                                                            : std::stoll(reply->str());
}

void Fleet::read_mentions(Ledger& ledger) {
  ledger.mentions = mentions_;
  std::map<std::string, std::set<std::string>> unread;  // posts, by agent
  for (const auto& mention : mentions_) {
    if (unread.contains(mention.agent)) continue;
    const auto posts = unread_posts(mention.agent);
    if (!posts) ledger.leftovers.push_back("the inbox of " + mention.agent + " cannot be read");
    unread[mention.agent] = posts.value_or(std::set<std::string>{});
  }
  std::set<std::string> buried;             // notifications
  std::map<std::string, int> buried_items;  // attempts, by agent
  const auto letters = ask({"LRANGE", "work:dead", "0", "-1"});
  if (!letters) ledger.leftovers.push_back("the dead letters cannot be read");
  for (const auto& letter : letters ? letters->array() : net::RedisReply::Array{}) {
    const auto value = try_parse_json(letter.str());
    if (!value) continue;
    buried.insert(string_field(*value, "notification_id").value_or(""));
    if (string_field(*value, "kind") == "item")
      buried_items[string_field(*value, "agent_id").value_or("")] =
          static_cast<int>(array_field(*value, "history").size());
  }
  for (auto& mention : ledger.mentions) {
    mention.answers = answers_to(mention);
    mention.read = !unread[mention.agent].contains(mention.post);
    const auto item = buried_items.find(mention.agent);
    if (mention.poison && item != buried_items.end()) mention.buried_after = item->second;
    if (mention.answers > 0 || buried.empty()) continue;
    const auto notes = notes_of(mention.agent, "");
    if (!notes) continue;
    if (const auto note = notes->find(mention.post); note != notes->end())
      mention.dead = buried.contains(note->second);
  }
}

void Fleet::read_census(Ledger& ledger) {
  look();
  ledger.census = {{"enqueued", number({"HGET", "work:stats", "enqueued"})},
                   {"waiting", number({"HLEN", "work:queued"})},
                   {"leased", number({"HLEN", "work:leases"})},
                   {"dead", sample_.dead_items},
                   {"done", number({"HGET", "work:stats", "done"})}};
  ledger.elections = std::max<std::int64_t>(0, sample_.epoch - first_epoch_);
  ledger.attempts_most = invariants_.attempts_most();
  ledger.breaches = invariants_.complaints();
}

void Fleet::read_leftovers(Ledger& ledger) {
  for (const auto& end : ended_badly_)
    ledger.leftovers.push_back(end);
  if (!reported()) ledger.leftovers.push_back("reports in work:outbox");
  for (auto& part : unfinished())
    ledger.leftovers.push_back(std::move(part));
  // A poisoned agent is held off; nobody else has failed in anything.
  const auto poisoned = std::ranges::count_if(mentions_, &Mention::poison);
  if (number({"HLEN", "work:backoff"}) > poisoned)
    ledger.leftovers.push_back("agents that are held off");
  for (auto* service : everybody()) {
    if (!is_ready(*service)) ledger.leftovers.push_back(service->name + " is not ready");
  }
}

Ledger Fleet::ledger() {
  Ledger ledger{.writes = accepted_writes(), .wire = tap_.verdict(), .model_calls = model_calls_};
  read_mentions(ledger);
  read_census(ledger);
  read_leftovers(ledger);
  const auto generation = hub_call("GET", "/system/generation", service_key_);
  if (generation)
    ledger.generation = int_field(*generation, "generation").value_or(0);
  else
    ledger.leftovers.push_back("the Hub's generation cannot be read");
  ledger.expected = {.rollbacks = rollbacks_, .untouched = profile_.untouched};
  return ledger;
}

void Fleet::stop_all(std::vector<std::string>& complaints) {
  for (auto* service : everybody()) {
    const int pid = service->program->pid();
    service->program->signal(SIGTERM);
    try {
      const int code = service->program->wait(10s);
      if (code != 0) complaints.push_back(fmt::format("{} ended with {}", service->name, code));
    } catch (const std::exception&) {
      complaints.push_back(service->name + " still runs 10 s after SIGTERM");
    }
    if (test::process_lives(pid)) complaints.push_back(service->name + ": its process lives");
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "tmp"))
    complaints.push_back("temporary folder " + entry.path().filename().string());
}

std::vector<std::string> Fleet::timeline(const std::string& text) const {
  std::vector<std::string> found;
  const auto look = [&](const Service& service) {
    std::istringstream lines(service.printed());
    for (std::string line; std::getline(lines, line);)
      if (line.find(text) != std::string::npos) found.push_back(line);
  };
  look(hub_);
  std::ranges::for_each(coordinators_, look);
  std::ranges::for_each(runners_, look);
  // Lines begin with their time or name it early; JSON of one program sorts by its time stamp.
  std::ranges::sort(found, {}, [](const std::string& line) {
    const auto at = line.find("\"timestamp\":");
    return at == std::string::npos ? line : line.substr(at, 44);
  });
  return found;
}

void Fleet::save_logs(const std::string& folder) const {
  std::filesystem::create_directories(folder);
  const auto save = [&](const Service& service) {
    std::ofstream file(folder + "/" + service.name + ".log");
    file << service.printed();
  };
  save(hub_);
  std::ranges::for_each(coordinators_, save);
  std::ranges::for_each(runners_, save);
}

}  // namespace botburrow::chaos
