#include "base/dotenv.hpp"
#include "base/error.hpp"
#include "base/settings.hpp"
#include "base/settings_names.hpp"
#include "base/settings_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace botburrow {

namespace {

std::string upper_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
  return out;
}

}  // namespace

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
    if (upper_case(name.substr(0, kSettingPrefix.size())) == kSettingPrefix &&
        key != upper_case(name)) {
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
    for (const std::string& key :
         {std::string(kSettingPrefix) + std::string(name), std::string(name)}) {
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
         {std::string(kSettingPrefix) + std::string(spec.name), std::string(spec.name)}) {
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
    problem(fmt::format("{0} is required (set {0} or {1}{0}), e.g. {2}", spec.name, kSettingPrefix,
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
        if (key.starts_with(kSettingPrefix) != prefixed) continue;
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
        if (!key.starts_with(kSettingPrefix) || value.empty() ||
            is_injected_by_kubernetes(key, value))
          continue;
        const std::string_view name = without_prefix(key);
        if (is_known(name)) continue;
        const auto nearest = nearest_name(name);
        warn("setting_unknown", key,
             nearest ? fmt::format("unknown setting {}; did you mean {}{}?", shown_value(key),
                                   kSettingPrefix, *nearest)
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

}  // namespace botburrow
