#include "definitions/validate.hpp"

#include "base/json.hpp"
#include "definitions/field_reader.hpp"
#include "definitions/file.hpp"
#include "definitions/grants.hpp"
#include "definitions/nearest.hpp"
#include "definitions/skill.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

namespace botburrow::definitions {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}
bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// Subfolders, sorted; hidden ones are left out.
std::vector<fs::path> folders_in(const fs::path& folder) {
  constexpr std::size_t kMost = 10'000;
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && out.size() < kMost;
       it.increment(error)) {
    const bool hidden = it->path().filename().string().starts_with('.');
    if (!hidden && is_folder(it->path())) out.push_back(it->path());
  }
  std::ranges::sort(out);
  return out;
}

/// The folder's own name, also for `.` and for paths with a closing slash.
std::string name_of_folder(const fs::path& folder) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(folder, error);
  if (error) real = folder.lexically_normal();
  if (real.filename().empty()) real = real.parent_path();
  return real.filename().string();
}

fs::path canonical_or_as_written(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path.empty() ? fs::path(".") : path, error);
  return error ? path.lexically_normal() : real;
}

/// An agent's or a skill's folder as runners find it: by the name in the listing of agents/ or
/// skills/, whatever a link of that name leads to.
struct Place {
  std::string name;
  fs::path repository;  ///< what links may not lead out of
  std::string key;      ///< the same however the path is written
};

Place place_of(const fs::path& folder) {
  fs::path written = folder.lexically_normal();
  if (written.filename().empty()) written = written.parent_path();
  const auto last = written.filename();
  const auto lists = [](const fs::path& path) {
    return path.filename() == "agents" || path.filename() == "skills";
  };
  if (!last.empty() && last != "." && last != "..") {
    const fs::path parent = written.parent_path();
    const fs::path real_parent = canonical_or_as_written(parent);
    const std::string key = (real_parent / last).string();
    if (lists(parent)) return {last.string(), canonical_or_as_written(parent.parent_path()), key};
    if (lists(real_parent)) return {last.string(), real_parent.parent_path(), key};
  }
  const fs::path real = canonical_or_as_written(folder);
  return {name_of_folder(folder), real.parent_path().parent_path(), real.string()};
}

struct BuiltInServer {
  std::string_view name;
  std::vector<std::string> grants;
};

const std::vector<BuiltInServer>& server_grants() {
  static const std::vector<BuiltInServer> kServers{
      {"github", {"github:read", "github:write", "github:actions", "github:admin"}},
      {"brave", {"brave:search"}},
      {"filesystem", {"filesystem:read", "filesystem:write"}},
      {"postgres", {"postgres:read", "postgres:write"}},
      {"hub", {"hub:read", "hub:write"}},
      {"desk", {"desk:use"}}};
  return kServers;
}

/// A grant for one resource, such as `postgres:orders:read`, starts the server as well.
bool starts_with_some(const GrantSet& grants, const BuiltInServer& server) {
  const std::string service = std::string(server.name) + ":";
  return grants.holds_any(server.grants) ||
         std::ranges::any_of(grants.list(), [&](const std::string& grant) {
           return grant.starts_with(service) && std::ranges::count(grant, ':') == 2;
         });
}

class Validation {
 public:
  explicit Validation(const ValidateOptions& options) : options_(options) {
    options_.parse.missing_is_error = true;
    report_.strict = options.strict;
  }

  ValidateReport run(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      if (stopped_) break;
      visit(path);
    }
    return std::move(report_);
  }

 private:
  void visit(const std::string& text) {
    const fs::path path = text.empty() ? fs::path(".") : fs::path(text);
    const std::string name = path.filename().string();
    if (is_file(path) && name == "SKILL.md") return skill(folder_of(path));
    if (is_file(path) && (name == "config.yaml" || name == "system-prompt.md"))
      return agent(folder_of(path));
    if (!is_folder(path)) {
      std::error_code ignored;
      return bad_path(
          text, fs::exists(path, ignored) ? "is no config.yaml and no SKILL.md" : "is not there");
    }
    if (is_folder(path / "agents")) return repository(path);
    if (is_file(path / "config.yaml")) return agent(path);
    if (is_file(path / "SKILL.md")) return skill(path);
    if (name_of_folder(path) == "agents") return agents(path);
    if (name_of_folder(path) == "skills" || is_folder(path / "skills")) {
      return skills(name_of_folder(path) == "skills" ? path : path / "skills");
    }
    if (is_file(path / "system-prompt.md")) return agent(path);
    bad_path(text, "holds no agents/, no config.yaml and no SKILL.md");
  }

  static fs::path folder_of(const fs::path& file) {
    return file.has_parent_path() ? file.parent_path() : fs::path(".");
  }

  void bad_path(const std::string& path, const std::string& what) {
    add({.severity = Severity::error,
         .code = "path",
         .file = path,
         .field = "path",
         .value = path,
         .message = what,
         .fix = "name a repository, an agents folder, an agent, a skills folder or a SKILL.md"});
    stop_if_asked();
  }

  void repository(const fs::path& root) {
    agents(root / "agents");
    if (is_folder(root / "skills")) skills(root / "skills");
  }

  void agents(const fs::path& folder) {
    const auto folders = folders_in(folder);
    if (folders.empty()) {
      add({.severity = Severity::warning,
           .code = "empty",
           .file = folder.string(),
           .message = "there are no agents here",
           .fix = "add agents/<name>/config.yaml and agents/<name>/system-prompt.md"});
    }
    for (const fs::path& agent_folder : folders) {
      if (!stopped_) agent(agent_folder);
    }
  }

  void skills(const fs::path& folder) {
    for (const fs::path& skill_folder : folders_in(folder)) {
      if (!stopped_) skill(skill_folder);
    }
  }

  void agent(const fs::path& folder) {
    const auto [name, repository, key] = place_of(folder);
    if (!visited_.insert(key).second) return;
    ++report_.agents;
    const std::string config_path = (folder / "config.yaml").string();
    const std::string prompt_path = (folder / "system-prompt.md").string();
    const FileContent config = read_file_inside(repository, config_path, kConfigBytesMax);
    const FileContent prompt = read_file_inside(repository, prompt_path, kPromptBytesMax);
    if (config.state != FileContent::State::read) {
      unreadable(name, config_path, config,
                 "write config.yaml with name, type, brain and capabilities");
    } else {
      check_config(folder, {.agent = name,
                            .config = config.text,
                            .config_file = config_path,
                            .prompt = prompt.text,
                            .prompt_file = prompt_path});
    }
    if (prompt.state != FileContent::State::read) {
      unreadable(name, prompt_path, prompt,
                 "write system-prompt.md: who the agent is and how it answers");
    } else {
      check_prompt(name, prompt_path, prompt.text);
    }
    stop_if_asked();
  }

  void check_config(const fs::path& folder, const DefinitionText& text) {
    ParsedDefinition parsed = parse_definition(text, options_.parse);
    for (Problem& problem : parsed.problems)
      add(std::move(problem));
    // Places are looked up once more, and checks across files need a tree even where a field is
    // wrong.
    const YamlDocument document = parse_yaml(text.config);
    if (!document.complete || document.root.kind != YamlNode::Kind::mapping) return;
    ProblemList found(text.agent, text.config_file);
    check_skills(folder, document.root, found);
    check_limits(document.root, found);
    check_servers(document.root, found);
    for (Problem& problem : found.take())
      add(std::move(problem));
  }

  static const YamlNode* find(const YamlNode& root, std::initializer_list<std::string_view> path) {
    const YamlNode* node = &root;
    for (const std::string_view key : path) {
      node = node->find(key);
      if (node == nullptr) return nullptr;
    }
    return node;
  }

  void check_skills(const fs::path& folder, const YamlNode& root, ProblemList& found) {
    const YamlNode* list = find(root, {"capabilities", "skills"});
    if (list == nullptr) return;
    const fs::path repository = root_of(folder);
    std::vector<std::string> known;
    for (const Skill& skill : native_skills())
      known.push_back(skill.name);
    for (const fs::path& skill_folder : folders_in(repository / "skills")) {
      if (is_file(skill_folder / "SKILL.md")) known.push_back(skill_folder.filename().string());
    }
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const YamlNode& item = list->items[i];
      if (item.kind != YamlNode::Kind::scalar || !is_safe_name(item.text)) continue;
      if (std::ranges::find(known, item.text) != known.end()) continue;
      found.add_at(item, Severity::error, "missing", fmt::format("capabilities.skills[{}]", i),
                   fmt::format("the skill {} is not in {}{}", shown(item),
                               (repository / "skills").string(), did_you_mean(item.text, known)),
                   fmt::format("write skills/{}/SKILL.md, or remove it here", item.text));
    }
  }

  static void check_limits(const YamlNode& root, ProblemList& found) {
    // Zero switches the interval off on purpose; one to nine seconds look like a slip.
    constexpr int kShortInterval = 10;
    constexpr int kManyPosts = 100;
    const YamlNode* interval = find(root, {"behavior", "limits", "min_interval_seconds"});
    if (const auto seconds = small_number(interval);
        seconds && *seconds > 0 && *seconds < kShortInterval) {
      found.add_at(*interval, Severity::warning, "hasty", "behavior.limits.min_interval_seconds",
                   fmt::format("{} seconds between two messages are few", *seconds),
                   "write 10 or more, or 0 for none");
    }
    for (const YamlNode* posts : {find(root, {"behavior", "limits", "max_daily_posts"}),
                                  find(root, {"behavior", "max_daily_posts"})}) {
      if (const auto count = small_number(posts); count && *count > kManyPosts) {
        found.add_at(*posts, Severity::info, "many", "behavior.limits.max_daily_posts",
                     fmt::format("{} posts a day are many", *count), "write 100 or less");
      }
    }
  }

  static std::optional<int> small_number(const YamlNode* node) {
    constexpr std::size_t kDigitsMax = 9;
    if (node == nullptr || node->kind != YamlNode::Kind::scalar || node->quoted ||
        node->text.empty())
      return std::nullopt;
    if (node->text.size() > kDigitsMax ||
        node->text.find_first_not_of("0123456789") != std::string::npos)
      return std::nullopt;
    return std::stoi(node->text);
  }

  static void check_servers(const YamlNode& root, ProblemList& found) {
    std::vector<std::string> requested;
    if (const YamlNode* given = find(root, {"capabilities", "grants"})) {
      for (const YamlNode& item : given->items)
        requested.push_back(item.text);
    }
    const GrantSet grants(std::move(requested));
    const YamlNode* list = find(root, {"capabilities", "mcp_servers"});
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const YamlNode& item = list->items[i];
      const std::string name = item.text == "brave-search" ? "brave" : item.text;
      const auto server = std::ranges::find(server_grants(), name, &BuiltInServer::name);
      if (item.kind != YamlNode::Kind::scalar || server == server_grants().end()) continue;
      if (starts_with_some(grants, *server)) continue;
      found.add_at(item, Severity::error, "not_held",
                   fmt::format("capabilities.mcp_servers[{}]", i),
                   fmt::format("the server {} would not start: none of {} is granted", shown(item),
                               fmt::join(server->grants, ", ")),
                   fmt::format("add {} to capabilities.grants, or remove the server",
                               server->grants.front()));
    }
  }

  void check_prompt(const std::string& agent, const std::string& file, std::string_view text) {
    constexpr std::size_t kShort = 50;
    constexpr std::size_t kTokensMax = 2000;
    constexpr std::size_t kBytesPerToken = 4;
    const auto characters = static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
    Problem problem{
        .severity = Severity::warning, .agent = agent, .file = file, .field = "system_prompt"};
    if (characters < kShort) {
      problem.code = "short";
      problem.message = fmt::format("{} characters say little about the agent", characters);
      problem.fix = "describe in a few sentences who it is and how it answers";
      add(std::move(problem));
    } else if (text.size() / kBytesPerToken > kTokensMax) {
      problem.code = "long";
      problem.message =
          fmt::format("about {} tokens go with every request", text.size() / kBytesPerToken);
      problem.fix = "keep it under 2000 tokens (about 8000 characters), and move details to skills";
      add(std::move(problem));
    }
  }

  void skill(const fs::path& folder) {
    const auto [name, repository, key] = place_of(folder);
    if (!visited_.insert(key).second) return;
    ++report_.skills;
    const std::string file = (folder / "SKILL.md").string();
    const FileContent content = read_file_inside(repository, file, kSkillBytesMax);
    if (content.state != FileContent::State::read) {
      unreadable(name, file, content, "write SKILL.md with name and description between --- lines");
    } else {
      if (!is_safe_name(name)) {
        add({.severity = Severity::error,
             .code = "bad_format",
             .agent = name,
             .file = file,
             .field = "name",
             .value = name,
             .message = "the folder's name has other characters than a-z, 0-9 and -",
             .fix = "rename the folder"});
      }
      for (Problem& problem : parse_skill(content.text, name, file).problems)
        add(std::move(problem));
    }
    stop_if_asked();
  }

  void unreadable(const std::string& agent, const std::string& file, const FileContent& content,
                  std::string advice) {
    const bool absent = content.state == FileContent::State::absent;
    add({.severity = Severity::error,
         .code = absent ? "missing" : "unreadable",
         .agent = agent,
         .file = file,
         .message = absent ? "the file is missing" : "the file " + content.fault,
         .fix = absent ? std::move(advice) : content.fix});
  }

  /// The repository of an agent's folder: two levels up, unless the operator named one.
  fs::path root_of(const fs::path& agent_folder) const {
    if (!options_.root.empty()) return options_.root;
    std::error_code error;
    const fs::path real = fs::canonical(agent_folder, error);
    const fs::path start = error ? agent_folder : real;
    // Keep the user's own spelling where the path has it.
    const fs::path written = agent_folder.lexically_normal();
    if (written.parent_path().filename() == "agents") {
      const fs::path up = written.parent_path().parent_path();
      return up.empty() ? fs::path(".") : up;
    }
    return start.parent_path().parent_path();
  }

  void add(Problem problem) {
    report_.errors += problem.severity == Severity::error;
    report_.warnings += problem.severity == Severity::warning;
    report_.problems.push_back(std::move(problem));
  }

  void stop_if_asked() { stopped_ = options_.fail_fast && !report_.ok(); }

  ValidateOptions options_;
  ValidateReport report_;
  std::set<std::string> visited_;
  bool stopped_ = false;
};

bool is_shown(Severity severity, Severity floor) {
  return severity <= floor;
}

std::string counted(int count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

ValidateReport validate(const std::vector<std::string>& paths, const ValidateOptions& options) {
  ValidateReport report = Validation(options).run(paths);
  // Files in the order they were visited, and each file from top to bottom.
  std::map<std::string, std::size_t> order;
  for (const Problem& problem : report.problems)
    order.emplace(problem.file, order.size());
  std::ranges::stable_sort(report.problems, [&](const Problem& a, const Problem& b) {
    return std::tuple(order[a.file], a.line, a.column) <
           std::tuple(order[b.file], b.line, b.column);
  });
  return report;
}

std::optional<Severity> find_severity_floor(std::string_view name) {
  if (name == "error") return Severity::error;
  if (name == "warning") return Severity::warning;
  if (name == "info" || name == "all") return Severity::info;
  return std::nullopt;
}

std::string to_text(const ValidateReport& report, Severity floor) {
  std::string out;
  for (const Problem& problem : report.problems) {
    if (is_shown(problem.severity, floor)) out += to_text(problem) + "\n";
  }
  const std::string checked = fmt::format("{}, {}", counted(report.agents, "agent", "agents"),
                                          counted(report.skills, "skill", "skills"));
  const std::string found = fmt::format("{}, {}", counted(report.errors, "error", "errors"),
                                        counted(report.warnings, "warning", "warnings"));
  return out + fmt::format("{}: {}; {}\n", report.ok() ? "OK" : "FAILED", checked, found);
}

std::string to_json_text(const ValidateReport& report, Severity floor) {
  json::array problems;
  for (const Problem& problem : report.problems) {
    if (is_shown(problem.severity, floor)) problems.push_back(to_json_object(problem));
  }
  json::object out;
  out["agents"] = report.agents;
  out["skills"] = report.skills;
  out["errors"] = report.errors;
  out["warnings"] = report.warnings;
  out["problems"] = std::move(problems);
  return to_pretty_json(out) + "\n";
}

}  // namespace botburrow::definitions
