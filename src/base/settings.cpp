#include "base/settings.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/settings_names.hpp"
#include "base/settings_values.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace botburrow {

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
