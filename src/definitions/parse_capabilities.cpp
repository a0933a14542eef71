#include "definitions/grants.hpp"
#include "definitions/parse_sections.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace botburrow::definitions {
namespace {

class CapabilityReader : SectionReader {
 public:
  using SectionReader::SectionReader;

  void read() {
    if (!root_.has("capabilities")) missing(root_, "capabilities", "none");
    Section section = root_.section("capabilities");
    Capabilities& out = out_.capabilities;
    grants(section);
    const auto skills = section.texts("skills");
    for (const TextItem& skill : skills) {
      if (is_safe_name(skill.text)) continue;
      section.problem_at(skill, "bad_format",
                         shown(*skill.node) + " is not a skill name of a-z, 0-9 and -",
                         "write the name of a folder in skills/");
    }
    out.skills = plain_texts(skills);
    mcp_servers(section);
    shell(section);
    Section spawning = section.section("spawning");
    out.spawning.can_propose = spawning.flag("can_propose").value_or(false);
    out.spawning.allowed_templates = plain_texts(spawning.texts("allowed_templates"));
    finish(spawning);
    read_network(reading_, section, false);
    finish(section);
  }

 private:
  void grants(Section& section) {
    static const std::vector<std::string> kBuiltIn{
        "hub:read",       "hub:write",       "github:read",      "github:write",
        "github:actions", "github:admin",    "brave:search",     "postgres:read",
        "postgres:write", "filesystem:read", "filesystem:write", "kubernetes:read",
        "arxiv:read",     "arxiv:search",    "kubernetes:write", "replicate:generate",
        "desk:use"};
    auto known = kBuiltIn;
    known.insert(known.end(), options_.grants_known.begin(), options_.grants_known.end());
    const auto items = section.texts("grants");
    for (const TextItem& item : items) {
      if (const auto fault = grant_fault(item.text)) {
        section.problem_at(
            item, "bad_format", shown(*item.node) + " " + *fault,
            "write a grant such as " + nearest_name(item.text, known).value_or("hub:read"));
        continue;
      }
      if (std::ranges::find(known, item.text) != known.end()) continue;
      const auto nearest = nearest_name(item.text, known);
      const bool of_hub = item.text.starts_with("hub:");
      if (!of_hub && (!nearest || has_known_service(item.text))) continue;
      const auto fix = nearest ? "write " + *nearest : "write hub:read or hub:write";
      // No server of the operator's can be unlocked by a grant of the Hub.
      const bool maybe = !of_hub && !options_.mcp_servers_complete;
      section.problem_at(
          item, "unknown_value",
          fmt::format("{} unlocks nothing{}{}", shown(*item.node),
                      maybe ? " that is known here" : "", did_you_mean(item.text, known)),
          maybe ? fix + ", if no server in the runners' MCP_SERVERS_FILE asks for it" : fix,
          maybe ? Severity::info : Severity::warning);
    }
    out_.capabilities.grants = plain_texts(items);
  }

  bool has_known_service(std::string_view grant) const {
    static const std::vector<std::string> kServices{"hub",      "github",     "brave", "filesystem",
                                                    "postgres", "kubernetes", "arxiv", "replicate",
                                                    "http",     "aws",        "desk"};
    const auto service = grant.substr(0, grant.find(':'));
    return std::ranges::find(kServices, service) != kServices.end() ||
           std::ranges::any_of(options_.grants_known, [&](const std::string& known) {
             return known.starts_with(service) && known[service.size()] == ':';
           });
  }

  void mcp_servers(Section& section) {
    const YamlNode* list = section.get("mcp_servers");
    if (list == nullptr) return;
    if (list->kind != YamlNode::Kind::sequence) {
      section.problem("mcp_servers", Severity::error, "wrong_type", shown(*list) + " is not a list",
                      "write a list: [github]");
      return;
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      const YamlNode& node = list->items[i];
      const std::string field = fmt::format("{}[{}]", section.path_of("mcp_servers"), i);
      auto server = node.kind == YamlNode::Kind::mapping ? written_server(node, field)
                                                         : named_server(node, field);
      if (!server) continue;
      if (!seen.insert(server->name).second) {
        problems_.add_at(node, Severity::warning, "duplicate", field,
                         fmt::format("\"{}\" is listed twice", one_line(server->name)),
                         "keep one of them");
        continue;
      }
      out_.capabilities.mcp_servers.push_back(std::move(*server));
    }
  }

  std::optional<McpServer> named_server(const YamlNode& node, const std::string& field) {
    if (node.kind != YamlNode::Kind::scalar || node.text.empty()) {
      problems_.add_at(node, Severity::error, "wrong_type", field,
                       shown(node) + " is not the name of a server",
                       "write a name such as github, or name and command");
      return std::nullopt;
    }
    McpServer server{.name = node.text};
    if (server.name == "brave-search") {
      server.name = "brave";
      problems_.add_at(node, Severity::info, "alias", field,
                       "\"brave-search\" is another name of brave", "write brave");
    }
    if (!is_safe_server_name(server.name)) {
      problems_.add_at(node, Severity::error, "bad_format", field,
                       shown(node) + " is not a name of up to 64 letters, digits, - and _",
                       "write a name such as github");
      return std::nullopt;
    }
    const auto& known = built_in_mcp_servers();
    const bool is_known = std::ranges::find(known, server.name) != known.end() ||
                          options_.mcp_servers_known.contains(server.name);
    if (!is_known) {
      std::vector<std::string> names(known);
      names.insert(names.end(), options_.mcp_servers_known.begin(),
                   options_.mcp_servers_known.end());
      const bool complete = options_.mcp_servers_complete;
      problems_.add_at(
          node, complete ? Severity::warning : Severity::info, "unknown_mcp_server", field,
          fmt::format("{} is not a known server{}{}", shown(node),
                      complete ? "" : ", unless the runners' MCP_SERVERS_FILE names it",
                      did_you_mean(server.name, names)),
          complete
              ? fmt::format("write one of {}, or let the operator add it to MCP_SERVERS_FILE",
                            joined(names))
              : fmt::format("write one of {}, or check with MCP_SERVERS_FILE set", joined(names)));
    }
    return server;
  }

  std::optional<McpServer> written_server(const YamlNode& node, const std::string& field) {
    Section section(problems_, &node, field);
    const auto name = section.text("name");
    const auto command = section.text("command");
    McpServer server;
    server.args = section.raw_texts("args");
    server.env = section.raw_map("env");
    server.required = section.flag("required").value_or(false);
    finish(section);
    for (const std::string_view key : {"name", "command"}) {
      if (section.get(key) != nullptr) continue;
      problems_.add_at({.line = node.line, .column = node.column}, Severity::error, "missing",
                       section.path_of(key), "is required for a server that is written out",
                       fmt::format("add {}", key));
    }
    if (!name || !command) return std::nullopt;
    if (!is_safe_server_name(*name) || command->empty()) {
      problems_.add_at({.line = node.line, .column = node.column}, Severity::error, "bad_format",
                       field,
                       "the name is not up to 64 letters, digits, - and _, or the command is empty",
                       "write a name such as weather and a program");
      return std::nullopt;
    }
    server.name = *name;
    server.command = *command;
    return server;
  }

  static bool is_safe_server_name(std::string_view name) {
    return name.size() <= 64 &&
           only(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  }

  void shell(Section& capabilities) {
    Section section = capabilities.section("shell");
    Shell& out = out_.capabilities.shell;
    out.enabled = section.flag("enabled").value_or(false);
    const auto commands = section.texts("allowed_commands");
    for (const TextItem& command : commands) {
      if (!command.text.empty() && command.text.find_first_of(" \t\n;|&$<>`") == std::string::npos)
        continue;
      section.problem_at(command, "bad_format",
                         shown(*command.node) + " is not the name of a program",
                         "write the program alone, without arguments", Severity::warning);
    }
    out.allowed_commands = plain_texts(commands);
    out.blocked_patterns = plain_texts(section.texts("blocked_patterns"));
    if (const auto seconds = section.integer("timeout_seconds", {1, 3600})) {
      out.timeout_seconds = static_cast<int>(*seconds);
    }
    finish(section);
  }
};

}  // namespace

const std::vector<std::string>& built_in_mcp_servers() {
  static const std::vector<std::string> kNames{"github",   "brave", "filesystem",
                                               "postgres", "hub",   "desk"};
  return kNames;
}

void read_capabilities(const Reading& reading) {
  CapabilityReader(reading).read();
}

}  // namespace botburrow::definitions
