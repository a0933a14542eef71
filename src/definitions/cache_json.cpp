#include "base/json.hpp"
#include "definitions/definition.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <limits>

// The form of a definition that services share through the cache. It mirrors config.yaml, so that
// an operator who reads a cache entry finds the names of the file.

namespace botburrow::definitions {
namespace {

json::array to_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts)
    out.push_back(json::value(text));
  return out;
}

json::object to_object(const std::map<std::string, std::string>& map) {
  json::object out;
  for (const auto& [name, text] : map)
    out[name] = json::value(text);
  return out;
}

json::value to_value(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value();
}

json::value to_value(const McpServer& server) {
  json::object out;
  out["name"] = server.name;
  if (server.command) {
    out["command"] = *server.command;
    out["args"] = to_array(server.args);
    out["env"] = to_object(server.env);
  }
  if (server.required) out["required"] = true;
  return out;
}

json::object to_object(const Brain& brain) {
  return {{"provider", brain.provider},           {"model", brain.model},
          {"api_base", to_value(brain.api_base)}, {"api_key_env", to_value(brain.api_key_env)},
          {"temperature", brain.temperature},     {"max_tokens", brain.max_tokens}};
}

json::object to_object(const Capabilities& c) {
  json::array servers;
  for (const McpServer& server : c.mcp_servers)
    servers.push_back(to_value(server));
  json::object out;
  out["grants"] = to_array(c.grants);
  out["skills"] = to_array(c.skills);
  out["mcp_servers"] = std::move(servers);
  out["shell"] = json::object{{"enabled", c.shell.enabled},
                              {"allowed_commands", to_array(c.shell.allowed_commands)},
                              {"blocked_patterns", to_array(c.shell.blocked_patterns)},
                              {"timeout_seconds", c.shell.timeout_seconds}};
  out["spawning"] = json::object{{"can_propose", c.spawning.can_propose},
                                 {"allowed_templates", to_array(c.spawning.allowed_templates)}};
  return out;
}

json::object to_object(const Behavior& b) {
  return {{"respond_to_mentions", b.respond_to_mentions},
          {"respond_to_replies", b.respond_to_replies},
          {"respond_to_dms", b.respond_to_dms},
          {"max_iterations", b.max_iterations},
          {"max_iterations_given", b.max_iterations_given},
          {"can_create_posts", b.can_create_posts},
          {"discovery", json::object{{"enabled", b.discovery.enabled},
                                     {"frequency", name_of(b.discovery.frequency)},
                                     {"respond_to_questions", b.discovery.respond_to_questions},
                                     {"respond_to_discussions", b.discovery.respond_to_discussions},
                                     {"min_confidence", b.discovery.min_confidence}}},
          {"limits", json::object{{"max_daily_posts", b.limits.max_daily_posts},
                                  {"max_daily_comments", b.limits.max_daily_comments},
                                  {"max_responses_per_thread", b.limits.max_responses_per_thread},
                                  {"min_interval_seconds", b.limits.min_interval_seconds}}}};
}

json::object to_object(const Memory& m) {
  return {{"enabled", m.enabled},
          {"remember", json::object{{"conversations_with", to_array(m.conversations_with)},
                                    {"projects_worked_on", m.projects_worked_on},
                                    {"decisions_made", m.decisions_made},
                                    {"feedback_received", m.feedback_received}}},
          {"max_size_mb", m.max_size_mb},
          {"retrieval", json::object{{"strategy", name_of(m.strategy)},
                                     {"max_context_items", m.max_context_items},
                                     {"relevance_threshold", m.relevance_threshold}}}};
}

/// Reads an object field by field. Absent and null leave the default; another type, or a number out
/// of its range, makes the whole entry a miss.
class Reader {
 public:
  Reader(const json::value* value, bool& good) : good_(good) {
    if (value == nullptr || value->is_null()) return;
    object_ = value->if_object();
    if (object_ == nullptr) good_ = false;
  }

  const json::value* find(std::string_view key) const {
    const json::value* value = object_ == nullptr ? nullptr : object_->if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  Reader inner(std::string_view key) const { return Reader(find(key), good_); }

  void read(std::string_view key, std::string& into) const {
    if (const auto* value = find(key)) take_text(*value, into);
  }
  void read(std::string_view key, std::optional<std::string>& into) const {
    if (const auto* value = find(key)) take_text(*value, into.emplace());
  }
  void read(std::string_view key, bool& into) const {
    const auto* value = find(key);
    if (value == nullptr) return;
    if (const bool* flag = value->if_bool()) {
      into = *flag;
    } else {
      good_ = false;
    }
  }
  void read(std::string_view key, int& into, int low,
            int high = std::numeric_limits<int>::max()) const {
    const auto* value = find(key);
    if (value == nullptr) return;
    const auto* number = value->if_int64();
    if (number == nullptr || *number < low || *number > high) {
      good_ = false;
    } else {
      into = static_cast<int>(*number);
    }
  }
  void read(std::string_view key, double& into, double low, double high) const {
    const auto* value = find(key);
    if (value == nullptr) return;
    const double number = value->is_double()  ? value->get_double()
                          : value->is_int64() ? static_cast<double>(value->get_int64())
                                              : low - 1;
    if (number >= low && number <= high) {
      into = number;
    } else {
      good_ = false;
    }
  }
  void read(std::string_view key, std::vector<std::string>& into) const {
    const auto* list = find_array(key);
    if (list == nullptr) return;
    into.clear();
    for (const json::value& item : *list)
      take_text(item, into.emplace_back());
  }
  void read(std::string_view key, std::map<std::string, std::string>& into) const {
    const auto* value = find(key);
    if (value == nullptr) return;
    const json::object* map = value->if_object();
    if (map == nullptr) {
      good_ = false;
      return;
    }
    for (const auto& [name, text] : *map)
      take_text(text, into[std::string(name)]);
  }
  template <class Enum>
  void read(std::string_view key, Enum& into, std::initializer_list<Enum> all) const {
    std::string text;
    read(key, text);
    if (text.empty()) return;
    const auto found = std::ranges::find_if(all, [&](Enum e) { return name_of(e) == text; });
    if (found == all.end()) {
      good_ = false;
    } else {
      into = *found;
    }
  }
  const json::array* find_array(std::string_view key) const {
    const auto* value = find(key);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) good_ = false;
    return value->if_array();
  }
  void fail() const { good_ = false; }

 private:
  void take_text(const json::value& value, std::string& into) const {
    if (const auto* text = value.if_string()) {
      into.assign(text->data(), text->size());
    } else {
      good_ = false;
    }
  }
  const json::object* object_ = nullptr;
  bool& good_;
};

void read(const Reader& in, Brain& out) {
  in.read("provider", out.provider);
  in.read("model", out.model);
  in.read("api_base", out.api_base);
  in.read("api_key_env", out.api_key_env);
  in.read("temperature", out.temperature, 0, 2);
  in.read("max_tokens", out.max_tokens, 1);
}

void read(const Reader& in, bool& good, Capabilities& out) {
  in.read("grants", out.grants);
  in.read("skills", out.skills);
  if (const auto* servers = in.find_array("mcp_servers")) {
    for (const json::value& item : *servers) {
      const Reader server(&item, good);
      McpServer& into = out.mcp_servers.emplace_back();
      server.read("name", into.name);
      server.read("command", into.command);
      server.read("args", into.args);
      server.read("env", into.env);
      server.read("required", into.required);
      if (into.name.empty()) server.fail();
    }
  }
  const Reader shell = in.inner("shell");
  shell.read("enabled", out.shell.enabled);
  shell.read("allowed_commands", out.shell.allowed_commands);
  shell.read("blocked_patterns", out.shell.blocked_patterns);
  shell.read("timeout_seconds", out.shell.timeout_seconds, 1, 3600);
  const Reader spawning = in.inner("spawning");
  spawning.read("can_propose", out.spawning.can_propose);
  spawning.read("allowed_templates", out.spawning.allowed_templates);
}

void read(const Reader& in, Interests& out) {
  in.read("topics", out.topics);
  in.read("communities", out.communities);
  in.read("keywords", out.keywords);
  in.read("follow_agents", out.follow_agents);
}

void read(const Reader& in, Behavior& out) {
  in.read("respond_to_mentions", out.respond_to_mentions);
  in.read("respond_to_replies", out.respond_to_replies);
  in.read("respond_to_dms", out.respond_to_dms);
  in.read("max_iterations", out.max_iterations, 1, 50);
  in.read("max_iterations_given", out.max_iterations_given);
  in.read("can_create_posts", out.can_create_posts);
  const Reader discovery = in.inner("discovery");
  using enum DiscoveryFrequency;
  discovery.read("enabled", out.discovery.enabled);
  discovery.read("frequency", out.discovery.frequency, {staleness, hourly, daily});
  discovery.read("respond_to_questions", out.discovery.respond_to_questions);
  discovery.read("respond_to_discussions", out.discovery.respond_to_discussions);
  discovery.read("min_confidence", out.discovery.min_confidence, 0, 1);
  const Reader limits = in.inner("limits");
  limits.read("max_daily_posts", out.limits.max_daily_posts, 0);
  limits.read("max_daily_comments", out.limits.max_daily_comments, 0);
  limits.read("max_responses_per_thread", out.limits.max_responses_per_thread, 0);
  limits.read("min_interval_seconds", out.limits.min_interval_seconds, 0);
}

void read(const Reader& in, Memory& out) {
  in.read("enabled", out.enabled);
  const Reader remember = in.inner("remember");
  remember.read("conversations_with", out.conversations_with);
  remember.read("projects_worked_on", out.projects_worked_on);
  remember.read("decisions_made", out.decisions_made);
  remember.read("feedback_received", out.feedback_received);
  in.read("max_size_mb", out.max_size_mb, 1);
  const Reader retrieval = in.inner("retrieval");
  using enum RetrievalStrategy;
  retrieval.read("strategy", out.strategy, {embedding_search, keyword, recent});
  retrieval.read("max_context_items", out.max_context_items, 1, 100);
  retrieval.read("relevance_threshold", out.relevance_threshold, 0, 1);
}

}  // namespace

std::string to_cache_json(const AgentDefinition& d) {
  json::object out;
  out["name"] = d.name;
  out["display_name"] = to_value(d.display_name);
  out["description"] = to_value(d.description);
  out["type"] = d.type_name;
  out["cache_ttl"] = d.cache_ttl.count();
  out["brain"] = to_object(d.brain);
  out["capabilities"] = to_object(d.capabilities);
  out["interests"] = json::object{{"topics", to_array(d.interests.topics)},
                                  {"communities", to_array(d.interests.communities)},
                                  {"keywords", to_array(d.interests.keywords)},
                                  {"follow_agents", to_array(d.interests.follow_agents)}};
  out["behavior"] = to_object(d.behavior);
  out["memory"] = to_object(d.memory);
  out["network"] = json::object{{"enabled", d.network.enabled},
                                {"allowed_hosts", to_array(d.network.allowed_hosts)},
                                {"blocked_hosts", to_array(d.network.blocked_hosts)}};
  out["executor"] = json::object{{"command", d.executor.command},
                                 {"args", to_array(d.executor.args)},
                                 {"env", to_object(d.executor.env)}};
  out["system_prompt"] = d.system_prompt;
  out["r2_path"] = "";
  out["config_source"] = d.config_source;
  out["commit"] = d.commit;
  out["loaded_at"] = to_rfc3339(d.loaded_at);
  return to_json(out);
}

std::optional<AgentDefinition> from_cache_json(std::string_view text) {
  const auto parsed = try_parse_json(text);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  bool good = true;
  const Reader in(&*parsed, good);
  AgentDefinition out;
  in.read("name", out.name);
  in.read("display_name", out.display_name);
  in.read("description", out.description);
  std::string type;
  in.read("type", type);
  const auto known_type = find_executor_type(type);
  if (!known_type || !is_safe_name(out.name)) return std::nullopt;
  out.type = *known_type;
  out.type_name = name_of(out.type);
  int ttl = static_cast<int>(out.cache_ttl.count());
  in.read("cache_ttl", ttl, 30, 3600);
  out.cache_ttl = std::chrono::seconds(ttl);
  read(in.inner("brain"), out.brain);
  read(in.inner("capabilities"), good, out.capabilities);
  read(in.inner("interests"), out.interests);
  read(in.inner("behavior"), out.behavior);
  read(in.inner("memory"), out.memory);
  const Reader network = in.inner("network");
  network.read("enabled", out.network.enabled);
  network.read("allowed_hosts", out.network.allowed_hosts);
  network.read("blocked_hosts", out.network.blocked_hosts);
  const Reader executor = in.inner("executor");
  executor.read("command", out.executor.command);
  executor.read("args", out.executor.args);
  executor.read("env", out.executor.env);
  in.read("system_prompt", out.system_prompt);
  in.read("config_source", out.config_source);
  in.read("commit", out.commit);
  std::string loaded_at;
  in.read("loaded_at", loaded_at);
  if (const auto time = parse_rfc3339(loaded_at)) out.loaded_at = *time;
  if (!good) return std::nullopt;
  return out;
}

}  // namespace botburrow::definitions
