#include "definitions/source.hpp"

#include "base/json.hpp"
#include "definitions/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace botburrow::definitions {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEntriesMax = 10'000;
constexpr std::size_t kIgnoredMax = 100;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

/// Names of subfolders of `folder` that have `file` in them, sorted.
std::vector<std::string> names_with(const fs::path& folder, const char* file) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::string name = it->path().filename().string();
    std::error_code ignored;
    if (is_safe_name(name) && fs::is_regular_file(it->path() / file, ignored))
      names.push_back(std::move(name));
    if (names.size() >= kEntriesMax) break;
  }
  std::ranges::sort(names);
  return names;
}

std::string printable(std::string_view path) {
  std::string out = valid_utf8(path);
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

/// Why a folder that looks like an agent's is not taken for one; nothing where it is, or where it
/// holds no file of an agent.
std::optional<Problem> why_ignored(const fs::path& folder, const std::string& shown) {
  std::error_code ignored;
  const std::string name = folder.filename().string();
  if (name.starts_with('.') || !is_folder(folder)) return std::nullopt;
  const bool has_config = fs::is_regular_file(folder / "config.yaml", ignored);
  Problem problem{
      .severity = Severity::warning, .code = "ignored", .agent = printable(name), .file = shown};
  if (has_config || fs::exists(folder / "system-prompt.md", ignored)) {
    if (!is_safe_name(name)) {
      problem.message =
          "the folder is not taken for an agent: its name has other characters than a-z, 0-9 and -";
      problem.fix = fmt::format("rename it to {0}, and write name: {0}", suggested_name(name));
      return problem;
    }
  }
  if (has_config) return std::nullopt;
  const bool other_ending = fs::exists(folder / "config.yml", ignored);
  const bool prompt = fs::exists(folder / "system-prompt.md", ignored);
  const bool no_file =
      fs::symlink_status(folder / "config.yaml", ignored).type() != fs::file_type::not_found;
  if (!other_ending && !prompt && !no_file) return std::nullopt;
  problem.message =
      no_file ? "the folder is not taken for an agent: its config.yaml is no readable file"
              : "the folder is not taken for an agent: it has no config.yaml";
  problem.fix = other_ending ? "rename config.yml to config.yaml"
                             : "write config.yaml with name, type, brain and capabilities";
  return problem;
}

/// The commit a checkout stands on, as far as plain files tell: git-sync names its folders after
/// commits, and a clone has .git/HEAD.
std::string commit_of(const fs::path& root) {
  const auto is_commit = [](const std::string& text) {
    return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  };
  for (auto part = root; part.has_relative_path(); part = part.parent_path()) {
    if (is_commit(part.filename().string())) return part.filename().string();
  }
  constexpr std::size_t kHeadBytesMax = 4096;
  const auto first_line = [&](const fs::path& path) {
    std::string text = read_file(path.string(), kHeadBytesMax).text;
    return text.substr(0, text.find_first_of("\r\n"));
  };
  const std::string head = first_line(root / ".git" / "HEAD");
  if (is_commit(head)) return head;
  constexpr std::string_view kRef = "ref: refs/";
  if (!head.starts_with(kRef) || head.find("..") != std::string::npos) return {};
  const std::string commit = first_line(root / ".git" / head.substr(5));
  return is_commit(commit) ? commit : std::string();
}

Problem file_problem(const std::string& agent, const std::string& file,
                     const FileContent& content) {
  return {.severity = Severity::error,
          .code = "unreadable",
          .agent = agent,
          .file = file,
          .message = "the file " + content.fault,
          .fix = content.fix};
}

}  // namespace

std::vector<Skill> load_all_skills(const DefinitionSource& source) {
  constexpr std::size_t kTotalBytesMax = 16 * 1024 * 1024;
  std::vector<Skill> skills;
  std::size_t bytes = 0;
  for (const std::string& name : source.list_skills()) {
    auto parsed = source.load_skill(name);
    if (!parsed) continue;
    bytes += parsed->skill.instructions.size();
    if (bytes > kTotalBytesMax) break;
    skills.push_back(std::move(parsed->skill));
  }
  return skills;
}

FolderSource::FolderSource(fs::path root, ParseOptions options, const Clock& clock)
    : root_(std::move(root)), options_(std::move(options)), clock_(&clock) {}

std::string FolderSource::describe() const {
  return root_.string();
}

bool FolderSource::usable() const {
  return is_folder(root_ / "agents");
}

fs::path FolderSource::resolved() const {
  std::error_code error;
  fs::path path = fs::canonical(root_, error);
  return error ? root_ : path;
}

std::vector<std::string> FolderSource::list_agents() const {
  const fs::path agents = resolved() / "agents";
  if (!is_folder(agents)) {
    throw Error(
        errc::io,
        fmt::format("{} is not there; AGENT_DEFINITIONS_PATH must name a folder with agents/ in it",
                    (root_ / "agents").string()),
        Retry::after_backoff);
  }
  return names_with(agents, "config.yaml");
}

std::vector<Problem> FolderSource::ignored() const {
  std::vector<Problem> out;
  std::error_code error;
  for (fs::directory_iterator it(resolved() / "agents", error), end;
       !error && it != end && out.size() < kIgnoredMax; it.increment(error)) {
    // Named by the path that people configured, as the files of agents are.
    const auto shown = printable((root_ / "agents" / it->path().filename()).string());
    if (auto problem = why_ignored(it->path(), shown)) out.push_back(*std::move(problem));
  }
  std::ranges::sort(out, {}, &Problem::file);
  return out;
}

std::optional<std::string> FolderSource::fingerprint(const std::string& name) const {
  if (!is_safe_name(name)) return std::string();
  const fs::path root = resolved();
  const fs::path folder = root / "agents" / name;
  const std::string config = file_fingerprint((folder / "config.yaml").string());
  if (config == "absent") return std::string();
  return fmt::format("{}|{}|{}", root.string(), config,
                     file_fingerprint((folder / "system-prompt.md").string()));
}

DefinitionSource::Loaded FolderSource::load(const std::string& name) const {
  if (!is_safe_name(name)) {
    throw Error(
        errc::definition_not_found,
        fmt::format("Agent config not found: {}; a name has 1 to 64 characters of a-z, 0-9 and -",
                    (root_ / "agents").string()));
  }
  // The link may be swapped, and the old commit deleted, while we read: then read the new one.
  constexpr int kTriesMax = 3;
  for (int tries = 1;; ++tries) {
    const fs::path root = resolved();
    try {
      return load_below(root, name);
    } catch (const Error&) {
      if (tries == kTriesMax || resolved() == root) throw;
    }
  }
}

DefinitionSource::Loaded FolderSource::load_below(const fs::path& root,
                                                  const std::string& name) const {
  const fs::path folder = root / "agents" / name;
  // Messages name the path that people configured, not the commit it points to at the moment.
  const std::string config_path = (root_ / "agents" / name / "config.yaml").string();
  const std::string prompt_path = (root_ / "agents" / name / "system-prompt.md").string();

  FileContent config = read_file_inside(root, folder / "config.yaml", kConfigBytesMax);
  if (config.state == FileContent::State::absent) {
    const bool place_gone = !is_folder(root / "agents");
    throw Error(
        place_gone ? errc::io : errc::definition_not_found,
        fmt::format("Agent config not found: {}{}", config_path,
                    place_gone ? "; there is no agents folder, check AGENT_DEFINITIONS_PATH" : ""),
        place_gone ? Retry::after_backoff : Retry::never);
  }
  FileContent prompt = read_file_inside(root, folder / "system-prompt.md", kPromptBytesMax);
  Loaded out;
  out.fingerprint = fmt::format("{}|{}|{}", root.string(), config.fingerprint, prompt.fingerprint);
  if (config.state != FileContent::State::read) {
    out.problems.push_back(file_problem(name, config_path, config));
    return out;
  }
  if (prompt.state != FileContent::State::read && prompt.state != FileContent::State::absent) {
    out.problems.push_back(file_problem(name, prompt_path, prompt));
    return out;
  }
  ParsedDefinition parsed = parse_definition({.agent = name,
                                              .config = std::move(config.text),
                                              .config_file = config_path,
                                              .prompt = std::move(prompt.text),
                                              .prompt_file = prompt_path},
                                             options_);
  out.problems = std::move(parsed.problems);
  out.definition = std::move(parsed.definition);
  if (out.definition) {
    out.definition->config_source = root_.string();
    out.definition->commit = commit_of(root);
    out.definition->loaded_at = std::chrono::floor<std::chrono::milliseconds>(clock_->wall());
  }
  return out;
}

std::vector<std::string> FolderSource::list_skills() const {
  return names_with(resolved() / "skills", "SKILL.md");
}

std::optional<ParsedSkill> FolderSource::load_skill(const std::string& name) const {
  if (!is_safe_name(name)) return std::nullopt;
  const fs::path root = resolved();
  const FileContent content =
      read_file_inside(root, root / "skills" / name / "SKILL.md", kSkillBytesMax);
  const std::string shown = (root_ / "skills" / name / "SKILL.md").string();
  if (content.state != FileContent::State::read) return std::nullopt;
  return parse_skill(content.text, name, shown);
}

}  // namespace botburrow::definitions
