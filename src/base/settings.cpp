#include "base/settings.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/settings_values.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace botburrow {
namespace {

constexpr std::string_view kPrefix = "BOTBURROW_";

std::string_view without_prefix(std::string_view name) {
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  return name;
}

bool is_family(const SettingSpec& spec) {
  return spec.name.find('*') != std::string_view::npos;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  return out;
}

/// What stands for the star of a family in `name`; nothing where it is not of the family.
std::optional<std::string> member_of(const SettingSpec& family, std::string_view name) {
  const std::size_t star = family.name.find('*');
  const std::string_view head = family.name.substr(0, star), tail = family.name.substr(star + 1);
  if (name.size() <= head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
    return {};
  return std::string(name.substr(head.size(), name.size() - head.size() - tail.size()));
}

/// Kubernetes puts the addresses of Services into every container: MY_HUB_SERVICE_HOST,
/// MY_HUB_PORT=tcp://…, MY_HUB_PORT_80_TCP_ADDR. None of that is meant for us.
bool is_injected_by_kubernetes(std::string_view name, std::string_view value) {
  if (name.ends_with("_SERVICE_HOST") || name.find("_SERVICE_PORT") != std::string_view::npos)
    return true;
  const std::size_t port = name.rfind("_PORT_");
  const bool is_port = name.ends_with("_PORT") || port != std::string_view::npos;
  for (const std::string_view scheme : {"tcp://", "udp://", "sctp://"})
    if (is_port && value.starts_with(scheme)) return true;
  for (const std::string_view protocol : {"_TCP_", "_UDP_", "_SCTP_"})
    for (const std::string_view end : {"ADDR", "PORT", "PROTO"})
      if (name.find("_PORT_") != std::string_view::npos &&
          name.ends_with(std::string(protocol) + std::string(end)))
        return true;
  return false;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// Names that Python images set; accepted without effect.
constexpr std::array<std::string_view, 6> kIgnored = {
    "PYTHONTRACEMALLOC", "PYTHONFAULTHANDLER",      "PYTHONUNBUFFERED",
    "PYTHONPATH",        "PYTHONDONTWRITEBYTECODE", "NODE_ENV"};

/// `name` without BOTBURROW_, upper case.
bool is_known(std::string_view name) {
  if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return true;
  const bool file = name.ends_with("_FILE");
  const std::string_view of_file = file ? name.substr(0, name.size() - 5) : name;
  for (const SettingSpec& spec : settings_table()) {
    const auto matches = [&](std::string_view candidate) {
      return candidate == name || (file && spec.secret && candidate == of_file);
    };
    if (matches(spec.name) || (is_family(spec) && member_of(spec, name))) return true;
    if (std::any_of(spec.aliases.begin(), spec.aliases.end(), matches)) return true;
  }
  return name == "HOSTNAME";
}

std::optional<std::string_view> nearest_name(std::string_view name) {
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 2);
  for (const SettingSpec& spec : settings_table()) {
    if (is_family(spec)) continue;
    const std::size_t distance = edit_distance(name.substr(0, 100), spec.name);
    if (distance < best_distance || (distance == best_distance && !best)) {
      best = spec.name;
      best_distance = distance;
    }
  }
  return best;
}

bool is_all_in_one(std::string_view program) {
  return program == "up" || program == "demo";
}

}  // namespace

unsigned services_of_program(std::string_view program) {
  if (is_all_in_one(program)) return service::kCoordinator | service::kRunner | service::kHub;
  constexpr std::array<std::pair<std::string_view, unsigned>, 8> kPrograms = {{
      {"coordinator", service::kCoordinator},
      {"runner", service::kRunner},
      {"hub", service::kHub},
      {"skill-sync", service::kSkillSync},
      {"assistant", service::kAssistant},
      {"mcp", service::kMcpHub},
      {"register", service::kRegister},
      {"client", service::kClient},
  }};
  for (const auto& [name, bit] : kPrograms)
    if (name == program) return bit;
  BB_ASSERT(program.empty());
  return service::kAll;
}

const SettingSpec* find_setting(std::string_view name) {
  name = without_prefix(name);
  for (const SettingSpec& spec : settings_table())
    if (spec.name == name) return &spec;
  return nullptr;
}

/// Fills a Settings: one value after another, then the rules between values.
class SettingsReader {
 public:
  SettingsReader(const SettingsSources& sources, std::string_view program)
      : sources_(sources), services_(services_of_program(program)) {
    out_.program_ = program;
    for (const auto& [name, value] : sources.environment)
      add_variable(environment_, name, value);
    for (const auto& [name, value] : parse_dotenv(sources.dotenv.value_or("")))
      add_variable(dotenv_, name, value);
  }

  Settings read() {
    for (const SettingSpec& spec : settings_table()) {
      if ((spec.services & services_) == 0) continue;
      if (is_family(spec))
        read_family(spec);
      else
        read_one(spec);
    }
    fill_identifiers();
    check_lock_ttl();
    check_placeholders();
    check_hub_secret();
    check_workspace_root();
    check_skill_sync();
    warn_of_unknown();
    return std::move(out_);
  }

 private:
  using Variables = std::map<std::string, std::string, std::less<>>;
  struct Candidate {
    std::string name;    // as set: BOTBURROW_POLL_INTERVAL, HUB_API_KEY_FILE
    std::string origin;  // environment, .env, --flag, ...
    std::string value;
    std::string unreadable;  // why a file gave no value
  };

  // Names are matched without regard to case only behind BOTBURROW_, as they have always been.
  static void add_variable(Variables& into, std::string_view name, const std::string& value) {
    std::string key(name);
    if (upper_case(name.substr(0, kPrefix.size())) == kPrefix && key != upper_case(name)) {
      into.emplace(upper_case(name), value);
      return;
    }
    into.insert_or_assign(std::move(key), value);
  }

  static std::string cleaned(const SettingSpec& spec, std::string_view value) {
    if (!spec.secret) return std::string(without_blanks(value));
    while (value.ends_with('\n') || value.ends_with('\r'))
      value.remove_suffix(1);
    return std::string(value);
  }

  void look_in(const Variables& variables, const SettingSpec& spec, std::string_view origin,
               std::string_view name, std::vector<Candidate>& found) const {
    const auto take = [&](const std::string& key, bool file) {
      const auto at = variables.find(key);
      if (at == variables.end() || is_injected_by_kubernetes(key, at->second)) return;
      const std::string value = cleaned(spec, at->second);
      if (value.empty()) return;
      if (!file)
        found.push_back({key, std::string(origin), value, ""});
      else
        take_file(spec, key, value, std::string(origin), found);
    };
    for (const std::string& key : {std::string(kPrefix) + std::string(name), std::string(name)}) {
      take(key, false);
      if (spec.secret) take(key + "_FILE", true);
    }
  }

  void take_file(const SettingSpec& spec, const std::string& key, const std::string& path,
                 std::string origin, std::vector<Candidate>& found) const {
    if (!sources_.read_file) return;
    const auto text = sources_.read_file(path);
    if (!text) {
      found.push_back({key, std::move(origin), path, text.error()});
      return;
    }
    std::string value = cleaned(spec, *text);
    if (!value.empty()) found.push_back({key, key, std::move(value), ""});
  }

  void look_in_credentials(const SettingSpec& spec, std::vector<Candidate>& found) const {
    if (!spec.secret || !sources_.credentials_directory || !sources_.read_file) return;
    for (const std::string& name :
         {std::string(kPrefix) + std::string(spec.name), std::string(spec.name)}) {
      // Absent is ordinary here: the folder holds only what was given to the service.
      const auto text = sources_.read_file(*sources_.credentials_directory + "/" + name);
      std::string value = text ? cleaned(spec, *text) : "";
      if (!value.empty())
        found.push_back(
            {"$CREDENTIALS_DIRECTORY/" + name, "credentials directory", std::move(value), ""});
    }
  }

  std::vector<Candidate> candidates(const Variables& variables, const SettingSpec& spec,
                                    std::string_view origin) const {
    std::vector<Candidate> found;
    look_in(variables, spec, origin, spec.name, found);
    for (const std::string_view alias : spec.aliases)
      look_in(variables, spec, origin, alias, found);
    return found;
  }

  void read_one(const SettingSpec& spec) {
    Settings::Value& value = out_.values_[std::string(spec.name)];
    value.text = default_of(spec);
    std::vector<Candidate> environment = candidates(environment_, spec, "environment");
    look_in_credentials(spec, environment);
    std::vector<Candidate> chosen_from;
    for (const SettingsSources::Flag& flag : sources_.flags)
      // The last of several wins, as everywhere on a command line.
      if (without_prefix(flag.name) == spec.name && !cleaned(spec, flag.value).empty())
        chosen_from = {{flag.name, flag.flag, cleaned(spec, flag.value), ""}};
    if (chosen_from.empty()) chosen_from = std::move(environment);
    if (chosen_from.empty()) chosen_from = candidates(dotenv_, spec, ".env");
    if (chosen_from.empty()) {
      require(spec);
      return;
    }
    warn_of_conflict(spec, chosen_from);
    accept(spec, chosen_from.front(), value);
  }

  std::string default_of(const SettingSpec& spec) const {
    for (const ProgramDefault& own : spec.defaults)
      if (own.program == out_.program_) return normal_default(spec, own.value);
    return normal_default(spec, spec.default_value);
  }

  static std::string normal_default(const SettingSpec& spec, std::string_view value) {
    if (value.empty()) return {};
    const auto normal = normalise_setting(spec, value);
    BB_ASSERT(normal.has_value());
    return *normal;
  }

  void accept(const SettingSpec& spec, const Candidate& candidate, Settings::Value& value) {
    if (!candidate.unreadable.empty()) {
      problem(fmt::format("{}=\"{}\" (from {}): cannot be read: {}", candidate.name,
                          shown_value(candidate.value), candidate.origin, candidate.unreadable));
      return;
    }
    auto normal = normalise_setting(spec, candidate.value);
    if (!normal) {
      problem(wrong_value(spec, candidate, normal.error()));
      return;
    }
    value.text = std::move(*normal);
    value.set = true;
    value.source = candidate.origin;
    if (candidate.origin == "environment" && candidate.name != spec.name)
      value.source = fmt::format("environment ({})", candidate.name);
  }

  static std::string wrong_value(const SettingSpec& spec, const Candidate& candidate,
                                 std::string_view expected) {
    if (spec.secret)
      return fmt::format("{} (secret, {} characters): {}", candidate.name, candidate.value.size(),
                         expected);
    const std::string origin =
        candidate.origin == "environment" ? std::string(spec.origin) : candidate.origin;
    return fmt::format("{}=\"{}\"{}: {}", candidate.name, shown_value(candidate.value),
                       origin.empty() ? "" : fmt::format(" (from {})", origin), expected);
  }

  void require(const SettingSpec& spec) {
    if (out_.program_.empty() || is_all_in_one(out_.program_)) return;
    if ((spec.required_by & services_) == 0) return;
    problem(fmt::format("{0} is required (set {0} or {1}{0}), e.g. {2}", spec.name, kPrefix,
                        spec.example));
  }

  void warn_of_conflict(const SettingSpec& spec, const std::vector<Candidate>& found) {
    const Candidate& first = found.front();
    const auto normal_of = [&](const Candidate& c) {
      return normalise_setting(spec, c.value).value_or(c.value);
    };
    for (std::size_t i = 1; i < found.size(); ++i) {
      const Candidate& other = found[i];
      // A secret beside its own file is a mistake even while both agree.
      const bool beside_file = first.name + "_FILE" == other.name;
      if (!beside_file && normal_of(first) == normal_of(other)) continue;
      const std::string text =
          spec.secret ? fmt::format("{}: using the value from {}, ignoring the one from {}",
                                    spec.name, first.name, other.name)
                      : fmt::format("{}: using {} from {}, ignoring {} from {}", spec.name,
                                    shown_value(first.value), first.name, shown_value(other.value),
                                    other.name);
      warn("setting_conflict", spec.name, text);
    }
  }

  void read_family(const SettingSpec& spec) {
    auto& members = out_.families_[std::string(spec.name)];
    const auto take = [&](const Variables& variables, std::string_view origin, bool prefixed) {
      for (const auto& [key, text] : variables) {
        if (key.starts_with(kPrefix) != prefixed) continue;
        const auto member = member_of(spec, without_prefix(key));
        const std::string value = cleaned(spec, text);
        if (!member || value.empty() || find_setting(key) != nullptr) continue;
        Settings::Value accepted;
        accept(spec, {key, std::string(origin), value, ""}, accepted);
        members.emplace(*member, std::move(accepted));  // the first one in wins
      }
    };
    take(environment_, "environment", true);
    take(environment_, "environment", false);
    take(dotenv_, ".env", true);
    take(dotenv_, ".env", false);
  }

  std::string variable(std::string_view name) const {
    const auto at = environment_.find(name);
    return at == environment_.end() ? "" : at->second;
  }

  Settings::Value* find_value(std::string_view name) {
    const auto at = out_.values_.find(name);
    return at == out_.values_.end() ? nullptr : &at->second;
  }

  static std::string identifier_of(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 100))
      out += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '.' || c == '_' || c == '-'
                 ? c
                 : '-';
    return out.empty() ? "botburrow" : out;
  }

  // A host name is a fallback, not another spelling: it never conflicts with a set value.
  void fill_identifiers() {
    const std::string hostname = variable("HOSTNAME");
    if (Settings::Value* runner = find_value("RUNNER_ID");
        runner && !runner->set && runner->text.empty()) {
      const bool in_kubernetes = !variable("KUBERNETES_SERVICE_HOST").empty();
      const std::string host =
          identifier_of(in_kubernetes && !hostname.empty() ? hostname : sources_.hostname);
      runner->text = in_kubernetes ? host : fmt::format("{}-{}", host, sources_.pid);
    }
    if (Settings::Value* instance = find_value("INSTANCE_ID");
        instance && !instance->set && instance->text.empty())
      instance->text = identifier_of(hostname.empty() ? sources_.random_text : hostname);
  }

  void check_lock_ttl() {
    Settings::Value* ttl = find_value("LOCK_TTL");
    const Settings::Value* timeout = find_value("ACTIVATION_TIMEOUT");
    if (!ttl || !timeout) return;
    const std::int64_t least = std::stoll(timeout->text) + 60;
    if (std::stoll(ttl->text) >= least) return;
    if (ttl->set)
      warn("setting_adjusted", "LOCK_TTL",
           fmt::format("LOCK_TTL raised from {} to {} (must be >= ACTIVATION_TIMEOUT + 60)",
                       ttl->text, least));
    ttl->text = std::to_string(least);
  }

  void check_placeholders() {
    for (const SettingSpec& spec : settings_table()) {
      if (!spec.secret) continue;
      const Settings::Value* value = find_value(spec.name);
      if (!value || !value->text.starts_with("REPLACE_")) continue;
      warn("setting_adjusted", spec.name,
           fmt::format("{} still holds the template placeholder{}", spec.name,
                       spec.name == "HUB_API_KEY" ? "; Hub calls will be refused" : ""));
    }
    if (const Settings::Value* sandbox = find_value("SANDBOX_ENABLED");
        sandbox && sandbox->text == "false")
      warn("setting_adjusted", "SANDBOX_ENABLED",
           "SANDBOX_ENABLED=false has no effect: the boundary cannot be switched off");
  }

  void check_hub_secret() {
    const Settings::Value* key = find_value("SECRET_KEY");
    const Settings::Value* mode = find_value("HUB_AUTH_MODE");
    if (!key || key->text != "change-me-in-production" || (mode && mode->text == "open")) return;
    problem(fmt::format(
        "SECRET_KEY (secret, {} characters): the published default; set a random value, "
        "e.g. from openssl rand -hex 32",
        key->text.size()));
  }

  void check_workspace_root() {
    Settings::Value* root = find_value("WORKSPACE_ROOT");
    if (!root || !sources_.folder_exists || !sources_.folder_writable) return;
    const bool exists = sources_.folder_exists(root->text);
    if (!root->set && !exists) {
      root->text = sources_.data_folder + "/workspaces";
      return;
    }
    // Workspaces concern programs that run agents; `config` alone only shows the value.
    if (out_.program_.empty() || sources_.folder_writable(root->text)) return;
    problem(fmt::format(
        "WORKSPACE_ROOT=\"{}\": {} by uid {} (mount a volume or set WORKSPACE_ROOT)",
        shown_value(root->text), exists ? "not writable" : "cannot be made", sources_.uid));
  }

  void check_skill_sync() {
    if (out_.program_ != "skill-sync") return;
    std::string missing;
    for (const std::string_view name : {"R2_ENDPOINT", "R2_ACCESS_KEY", "R2_SECRET_KEY"})
      if (const Settings::Value* value = find_value(name); !value || !value->set)
        missing += (missing.empty() ? "" : ", ") + std::string(name);
    if (!missing.empty())
      problem(fmt::format(
          "skill-sync needs R2_ENDPOINT, R2_ACCESS_KEY, R2_SECRET_KEY (missing: {})", missing));
  }

  void warn_of_unknown() {
    for (const Variables* variables : {&environment_, &dotenv_})
      for (const auto& [key, value] : *variables) {
        if (!key.starts_with(kPrefix) || value.empty() || is_injected_by_kubernetes(key, value))
          continue;
        const std::string_view name = without_prefix(key);
        if (is_known(name)) continue;
        const auto nearest = nearest_name(name);
        warn("setting_unknown", key,
             nearest ? fmt::format("unknown setting {}; did you mean {}{}?", shown_value(key),
                                   kPrefix, *nearest)
                     : fmt::format("unknown setting {}", shown_value(key)));
      }
  }

  void problem(std::string text) { out_.problems_.push_back("config error: " + std::move(text)); }
  void warn(std::string_view event, std::string_view name, std::string message) {
    out_.warnings_.push_back({std::string(event), std::string(name), std::move(message)});
  }

  const SettingsSources& sources_;
  unsigned services_;
  Variables environment_, dotenv_;
  Settings out_;
};

Settings Settings::read(const SettingsSources& sources, std::string_view program) {
  return SettingsReader(sources, program).read();
}

const Settings::Value& Settings::value_of(std::string_view name,
                                          std::initializer_list<SettingType> types) const {
  const SettingSpec* spec = find_setting(name);
  BB_ASSERT(spec != nullptr);
  BB_ASSERT(types.size() == 0 || std::find(types.begin(), types.end(), spec->type) != types.end());
  const auto at = values_.find(spec->name);
  BB_ASSERT(at != values_.end());  // the row is not of this program
  return at->second;
}

std::string Settings::text(std::string_view name) const {
  const Value& value = value_of(name, {});
  BB_ASSERT(!find_setting(name)->secret);
  return value.text;
}

std::optional<std::string> Settings::find_text(std::string_view name) const {
  std::string value = text(name);
  return value.empty() ? std::nullopt : std::optional(std::move(value));
}

std::int64_t Settings::integer(std::string_view name) const {
  return std::stoll(value_of(name, {SettingType::integer}).text);
}

std::optional<std::int64_t> Settings::find_integer(std::string_view name) const {
  const Value& value = value_of(name, {SettingType::integer});
  if (!value.set) return {};
  return std::stoll(value.text);
}

std::chrono::seconds Settings::seconds(std::string_view name) const {
  return std::chrono::seconds(std::stoll(value_of(name, {SettingType::duration}).text));
}

double Settings::number(std::string_view name) const {
  const std::string& text = value_of(name, {SettingType::number, SettingType::cpu}).text;
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

bool Settings::boolean(std::string_view name) const {
  return value_of(name, {SettingType::boolean}).text == "true";
}

std::uint64_t Settings::size_bytes(std::string_view name) const {
  return std::stoull(value_of(name, {SettingType::size}).text);
}

Secret Settings::secret(std::string_view name) const {
  const Value& value = value_of(name, {});
  BB_ASSERT(find_setting(name)->secret);
  return Secret(value.text);
}

std::vector<std::string> Settings::list(std::string_view name) const {
  return parse_list(value_of(name, {SettingType::list}).text).value_or(std::vector<std::string>{});
}

std::map<std::string, Secret, std::less<>> Settings::secret_map(std::string_view name) const {
  const Value& value = value_of(name, {SettingType::json_map});
  std::map<std::string, Secret, std::less<>> out;
  const auto document = try_parse_json(value.text);
  if (!document || !document->is_object()) return out;
  for (const auto& [key, text] : document->as_object())
    out.emplace(std::string(key), Secret(std::string(text.as_string())));
  return out;
}

std::map<std::string, std::string, std::less<>> Settings::family(std::string_view name) const {
  const auto at = families_.find(without_prefix(name));
  BB_ASSERT(at != families_.end());
  std::map<std::string, std::string, std::less<>> out;
  for (const auto& [member, value] : at->second)
    out.emplace(member, value.text);
  return out;
}

bool Settings::is_set(std::string_view name) const {
  return value_of(name, {}).set;
}
std::string Settings::source(std::string_view name) const {
  return value_of(name, {}).source;
}

}  // namespace botburrow
