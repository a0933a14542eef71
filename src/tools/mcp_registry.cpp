#include "tools/mcp_registry.hpp"

#include "base/error.hpp"
#include "definitions/field_reader.hpp"
#include "definitions/file.hpp"
#include "net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace botburrow::tools {
namespace {

using definitions::ProblemList;
using definitions::Section;
using definitions::Severity;
using definitions::YamlNode;

constexpr std::size_t kFileBytesMax = 256 * 1024;
constexpr std::string_view kWorkspace = "${WORKSPACE}";

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& one) { return matches_glob(one, text); });
}

bool is_server_name(std::string_view name) {
  return !name.empty() && name.size() <= 40 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && !(name[0] >= '0' && name[0] <= '9') &&
         name.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
             std::string_view::npos;
}

bool is_header_name(std::string_view name) {
  return !name.empty() && name.find_first_not_of(
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") ==
                              std::string_view::npos;
}

/// Grants have no underscore.
std::string default_grant(std::string name, std::string_view permission) {
  std::ranges::replace(name, '_', '-');
  return fmt::format("{}:{}", name, permission);
}

McpEntry process(std::string name, std::vector<std::string> argv) {
  McpEntry entry{.name = name,
                 .argv = std::move(argv),
                 .read_grant = default_grant(name, "read"),
                 .write_grant = default_grant(name, "write")};
  return entry;
}

class EntryReader {
 public:
  EntryReader(Section section, std::string name)
      : section_(std::move(section)), entry_(process(std::move(name), {})) {}

  McpEntry read() {
    place();
    credential();
    grants();
    entry_.read_tools = texts("read_tools");
    entry_.idempotent_tools = texts("idempotent_tools");
    entry_.hosts = texts("hosts");
    section_.finish(true);
    return std::move(entry_);
  }

 private:
  void bad(std::string_view key, std::string message, std::string fix) {
    section_.problem(key, Severity::error, "bad_format", std::move(message), std::move(fix));
  }

  std::vector<std::string> texts(std::string_view key) {
    return definitions::plain_texts(section_.texts(key));
  }

  void place() {
    const auto url = section_.text("url");
    const auto command = section_.text("command");
    auto args = section_.raw_texts("args");
    entry_.sha256 = section_.text("sha256").value_or("");
    if (url.has_value() == command.has_value()) {
      bad(url ? "url" : "command", "a server has a url or a command, and only one",
          "write url: https://… or command: PROGRAM");
      return;
    }
    if (url) return web_place(*url, args);
    if (command->empty()) bad("command", "is empty", "name the program");
    entry_.argv = {*command};
    entry_.argv.insert(entry_.argv.end(), args.begin(), args.end());
    const bool hex = entry_.sha256.size() == 64 &&
                     entry_.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!entry_.sha256.empty() && !hex)
      bad("sha256", "is no SHA-256", "write the 64 lower-case hex digits of sha256sum");
  }

  void web_place(const std::string& url, const std::vector<std::string>& args) {
    entry_.url = url;
    if (!args.empty()) bad("args", "belong to a command", "remove args, or write command:");
    if (!entry_.sha256.empty()) bad("sha256", "belongs to a command", "remove sha256");
    std::string fault;
    try {
      const auto parts = net::parse_url(url);
      if (parts.host.empty()) fault = "has no host";
    } catch (const Error&) {
      fault = "is no http or https URL";
    }
    if (url.find('@') != std::string::npos)
      fault = "holds a user; credentials have a field of their own";
    if (!fault.empty()) bad("url", fault, "write https://HOST/PATH");
  }

  void credential() {
    Section section = section_.section("credential");
    if (!section.present()) return;
    McpCredential out{.from = section.text("from").value_or(""),
                      .variable = section.text("name").value_or(""),
                      .header = section.text("header").value_or(""),
                      .prefix = section.text("prefix").value_or("")};
    section.finish(true);
    if (!is_variable_name(out.from)) {
      section.problem("from", Severity::error, "bad_format", "names no variable",
                      "write the runner's setting that holds the secret, e.g. from: GITHUB_PAT");
    }
    const bool web = !entry_.url.empty();
    if (web && !is_header_name(out.header)) {
      section.problem("header", Severity::error, "bad_format", "names no header",
                      "write header: Authorization and prefix: \"Bearer \"");
    }
    if (!web && !is_variable_name(out.variable)) {
      section.problem("name", Severity::error, "bad_format", "names no variable of the server",
                      "write name: THE_VARIABLE_THAT_THE_SERVER_READS");
    }
    entry_.credential = std::move(out);
  }

  void grants() {
    Section section = section_.section("grants");
    if (!section.present()) return;
    for (const auto& [key, into] :
         {std::pair("read", &entry_.read_grant), std::pair("write", &entry_.write_grant)}) {
      const auto grant = section.text(key);
      if (!grant) continue;
      if (const auto fault = definitions::grant_fault(*grant)) {
        section.problem(key, Severity::error, "bad_format",
                        fmt::format("\"{}\" {}", *grant, *fault), "write service:permission");
      }
      *into = *grant;
    }
    section.finish(true);
  }

  Section section_;
  McpEntry entry_;
};

/// The names in `${NAME}` of a value; nothing if a brace does not close.
std::optional<std::vector<std::string>> placeholders(std::string_view value) {
  std::vector<std::string> names;
  for (auto at = value.find("${"); at != std::string_view::npos; at = value.find("${", at)) {
    const auto end = value.find('}', at);
    if (end == std::string_view::npos) return std::nullopt;
    names.emplace_back(value.substr(at + 2, end - at - 2));
    at = end;
  }
  return names;
}

std::string secret_variable(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(), [](char c) {
    if (c >= 'a' && c <= 'z') return static_cast<char>(c - 32);
    return c == '-' ? '_' : c;
  });
  return out;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

bool McpEntry::reads(std::string_view tool) const {
  return any_matches(read_tools, tool);
}

bool McpEntry::is_idempotent(std::string_view tool) const {
  return any_matches(idempotent_tools, tool);
}

bool McpEntry::needs_workspace() const {
  return std::ranges::any_of(
      argv, [](const std::string& word) { return word.find(kWorkspace) != std::string::npos; });
}

McpRegistry McpRegistry::built_in() {
  McpRegistry registry;
  auto github = process("github", {"mcp-server-github"});
  github.credential =
      McpCredential{.from = "GITHUB_PAT", .variable = "GITHUB_PERSONAL_ACCESS_TOKEN"};
  github.read_tools = github.idempotent_tools = {"get_*", "list_*", "search_*"};
  github.hosts = {"api.github.com"};
  registry.set(std::move(github));

  auto brave = process("brave", {"mcp-server-brave-search"});
  brave.credential = McpCredential{.from = "BRAVE_API_KEY", .variable = "BRAVE_API_KEY"};
  brave.read_grant = brave.write_grant = "brave:search";
  brave.read_tools = brave.idempotent_tools = {"brave_*"};
  brave.hosts = {"api.search.brave.com"};
  registry.set(std::move(brave));

  auto files = process("filesystem", {"mcp-server-filesystem", std::string(kWorkspace)});
  files.read_tools = files.idempotent_tools = {"read_*", "list_*", "search_files", "get_file_info",
                                               "directory_tree"};
  registry.set(std::move(files));

  auto postgres = process("postgres", {"mcp-server-postgres"});
  postgres.credential = McpCredential{.from = "POSTGRES_URL", .variable = "DATABASE_URL"};
  registry.set(std::move(postgres));

  // Ours: there wherever this program is.
  auto desk = process("desk", {"botburrow", "mcp", "desk"});
  desk.read_grant = desk.write_grant = "desk:use";
  desk.read_tools = desk.idempotent_tools = {"*"};
  registry.set(std::move(desk));
  return registry;
}

const McpEntry* McpRegistry::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

void McpRegistry::set(McpEntry entry) {
  auto name = entry.name;
  entries_[std::move(name)] = std::move(entry);
}

ParsedMcpRegistry parse_mcp_registry(std::string_view text, std::string file) {
  ParsedMcpRegistry out{.registry = McpRegistry::built_in()};
  ProblemList problems({}, std::move(file));
  const auto document = definitions::parse_yaml(text);
  for (const auto& fault : document.faults)
    problems.add_fault(fault);
  if (document.complete && document.root.kind != YamlNode::Kind::mapping) {
    problems.add(Severity::error, "not_a_mapping", {}, "the file is empty or not a mapping",
                 "write servers: with one entry a server");
  } else if (document.complete) {
    Section root(problems, &document.root, {});
    Section servers = root.section("servers");
    const YamlNode* node = document.root.find("servers");
    for (std::size_t i = 0; servers.present() && i < node->entries.size(); ++i) {
      const auto& name = node->entries[i].key;
      if (!is_server_name(name)) {
        problems.add_at(node->entries[i].value, Severity::error, "bad_format", "servers." + name,
                        "is no name of a server", "use 1 to 40 of a-z, 0-9, - and _");
      }
      out.registry.set(EntryReader(servers.section(name), name).read());
    }
    root.finish(true);
  }
  out.problems = problems.take();
  return out;
}

McpRegistry load_mcp_registry(const std::string& path) {
  using State = definitions::FileContent::State;
  const auto file = definitions::read_file(path, kFileBytesMax);
  if (file.state == State::absent) return McpRegistry::built_in();
  if (file.state != State::read)
    throw Error(errc::bad_input, fmt::format("MCP_SERVERS_FILE={}: {}", path, file.fault));
  auto parsed = parse_mcp_registry(file.text, path);
  for (const auto& problem : parsed.problems) {
    if (problem.severity == Severity::error)
      throw Error(errc::bad_input, "MCP_SERVERS_FILE: " + definitions::to_short_text(problem));
  }
  return std::move(parsed.registry);
}

OwnMcpServer own_mcp_server(const definitions::McpServer& server, const OwnServerPolicy& policy,
                            const McpRegistry& registry) {
  const auto refuse = [](std::string why, std::string missing = "") {
    return OwnMcpServer{.fault = std::move(why), .missing = std::move(missing)};
  };
  if (!is_server_name(server.name)) return refuse("its name is not 1 to 40 of a-z, 0-9, - and _");
  // Its grants would be those that the operator gives for another server.
  if (server.name == "hub" || registry.find(server.name) != nullptr) {
    return refuse(
        fmt::format("\"{}\" is a server of the operator's; give this one a name of its "
                    "own, or leave its command out",
                    server.name));
  }
  const auto& command = server.command.value_or("");
  if (std::ranges::find(policy.commands_allowed, command) == policy.commands_allowed.end()) {
    return refuse(fmt::format("the command \"{}\" is not on MCP_COMMAND_ALLOW", command),
                  "MCP_COMMAND_ALLOW");
  }
  for (const auto& word : server.args) {
    const auto names = placeholders(word);
    if (!names || std::ranges::any_of(*names, [](const auto& name) { return name != "WORKSPACE"; }))
      return refuse("args may ask for ${WORKSPACE} and nothing else: others can see them");
  }
  std::vector<std::string> argv{command};
  argv.insert(argv.end(), server.args.begin(), server.args.end());
  auto entry = process(server.name, std::move(argv));
  for (const auto& [name, written] : server.env) {
    if (!is_variable_name(name)) return refuse("env names what is no variable");
    std::string value = written;
    if (value.starts_with("secret:"))
      value = fmt::format("${{{}}}", secret_variable(value.substr(7)));
    const auto names = placeholders(value);
    if (!names) return refuse(fmt::format("env.{} has a ${{ without its }}", name));
    for (const auto& asked : *names) {
      const bool given =
          asked == "WORKSPACE" ||
          std::ranges::find(policy.variables_allowed, asked) != policy.variables_allowed.end();
      if (!given) {
        return refuse(
            fmt::format("env.{} asks for {}, which AGENT_KEY_ENV_ALLOW does not name", name, asked),
            "AGENT_KEY_ENV_ALLOW");
      }
    }
    entry.environment[name] = std::move(value);
  }
  return {.entry = std::move(entry)};
}

}  // namespace botburrow::tools
