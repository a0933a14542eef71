#include "definitions/parse_sections.hpp"

#include <algorithm>

namespace botburrow::definitions {
namespace {

const std::vector<std::string>& providers() {
  static const std::vector<std::string> kNames{"anthropic", "openai", "google",
                                               "local",     "ollama", "deepseek"};
  return kNames;
}

const std::vector<std::string>& provider_key_names() {
  static const std::vector<std::string> kNames{"ANTHROPIC_API_KEY", "OPENAI_API_KEY",
                                               "GOOGLE_API_KEY", "DEEPSEEK_API_KEY"};
  return kNames;
}

class BrainReader : SectionReader {
 public:
  using SectionReader::SectionReader;

  void read() {
    out_.brain = options_.default_brain;
    Section brain = root_.section("brain");
    if (const auto model = brain.text("model"); model && !model->empty()) {
      out_.brain.model = *model;
    } else if (model) {
      brain.problem("model", Severity::error, "missing", "is empty",
                    "name a model, e.g. " + out_.brain.model);
    } else if (brain.get("model") == nullptr) {
      missing(brain, "model", out_.brain.model);
    }
    if (const auto provider = brain.text("provider")) {
      if (provider->empty()) {
        brain.problem("provider", Severity::error, "missing", "is empty",
                      "write one of " + joined(providers()));
      }
      // Defaults of api_base and key belong to the default provider.
      if (*provider != out_.brain.provider) out_.brain.api_key_env.reset();
      out_.brain.provider = *provider;
    }
    api_base(brain);
    api_key_env(brain);
    if (const auto value = brain.number("temperature", {0, 2})) out_.brain.temperature = *value;
    if (const auto value = brain.integer("max_tokens", {100, 128'000}))
      out_.brain.max_tokens = static_cast<int>(*value);
    if (brain.present()) {
      for (const std::string_view key : {"api_key", "key", "token"}) {
        if (brain.get(key) == nullptr) continue;
        problems_.add_at(
            {.line = brain.get(key)->line, .column = brain.get(key)->column}, Severity::error,
            "secret", brain.path_of(key), "a key must not stand in a definition",
            "remove it (and replace that key), and name its variable in brain.api_key_env");
      }
    }
    key_fault(brain);
    finish(brain);
  }

  /// A native agent needs an endpoint that somebody knows.
  void check_endpoint() {
    const std::string& provider = out_.brain.provider;
    const auto& known = providers();
    if (provider.empty() || std::ranges::find(known, provider) != known.end()) return;
    const bool in_house = out_.type == ExecutorType::native ||
                          (out_.type == ExecutorType::custom && out_.executor.command.empty());
    if (in_house && out_.brain.api_base) return;
    const YamlNode* brain = root_.get("brain");
    const YamlNode* node = brain == nullptr ? nullptr : brain->find("provider");
    const YamlNode none;
    problems_.add_at(
        node == nullptr ? none : *node, in_house ? Severity::error : Severity::warning,
        "unknown_value", "brain.provider",
        fmt::format("\"{}\" is not one of {}{}", one_line(provider), joined(known),
                    did_you_mean(provider, known)),
        in_house
            ? "write a known provider, or add brain.api_base for one with an OpenAI-compatible API"
            : "write " + nearest_name(provider, known).value_or("a known provider"));
  }

 private:
  void key_fault(Section& brain) {
    if (!options_.key_fault) return;
    const auto fault = options_.key_fault(out_.brain);
    if (!fault) return;
    const auto* node = brain.get(fault->field);
    const YamlNode none;
    problems_.add_at(node == nullptr ? none : *node,
                     fault->certain ? Severity::error : Severity::warning, "not_allowed",
                     brain.path_of(fault->field), fault->message, fault->fix);
  }

  void api_base(Section& brain) {
    const auto url = brain.text("api_base");
    if (!url) return;
    const std::size_t scheme = url->starts_with("https://")  ? 8
                               : url->starts_with("http://") ? 7
                                                             : 0;
    const std::string_view rest = std::string_view(*url).substr(scheme);
    const std::string_view host = rest.substr(0, rest.find_first_of("/?#"));
    if (host.find('@') != std::string_view::npos) {
      problems_.add_at(
          {.line = brain.get("api_base")->line, .column = brain.get("api_base")->column},
          Severity::error, "secret", "brain.api_base", "the URL holds a user name or password",
          "remove it, and name the key's variable in brain.api_key_env");
      return;
    }
    const bool odd = url->find_first_of(" \t\"<>\\^`{|}") != std::string::npos;
    if (scheme == 0 || host.empty() || host.front() == ':' || odd) {
      brain.problem("api_base", Severity::error, "bad_format",
                    shown(*brain.get("api_base")) + " is not an http or https URL",
                    "write a URL such as https://llm.example.org/v1");
      return;
    }
    out_.brain.api_base = *url;
  }

  void api_key_env(Section& brain) {
    const auto name = brain.text("api_key_env");
    if (!name) return;
    const YamlNode place{.line = brain.get("api_key_env")->line,
                         .column = brain.get("api_key_env")->column};
    constexpr std::string_view kChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (!only(*name, kChars) || name->front() < 'A' || name->front() > 'Z') {
      // Somebody may have put the key itself here: it is not shown.
      problems_.add_at(place, Severity::error, "bad_format", "brain.api_key_env",
                       "the value is not the name of an environment variable",
                       "write the variable's name, e.g. OPENAI_API_KEY, never the key");
      return;
    }
    const auto& own = provider_key_names();
    const bool allowed =
        std::ranges::find(own, *name) != own.end() || options_.api_key_env_allow.contains(*name);
    if (!allowed) {
      brain.problem(
          "api_key_env", Severity::error, "not_allowed",
          fmt::format("{} is not a variable that agents may use", shown(*brain.get("api_key_env"))),
          fmt::format("use one of {}, or let the operator add it to AGENT_KEY_ENV_ALLOW",
                      joined(own)));
      return;
    }
    out_.brain.api_key_env = *name;
  }
};

}  // namespace

void read_brain(const Reading& reading) {
  BrainReader(reading).read();
}
void check_endpoint(const Reading& reading) {
  BrainReader(reading).check_endpoint();
}

}  // namespace botburrow::definitions
