#include "base/settings_values.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace botburrow {
namespace {

using Normal = std::expected<std::string, std::string>;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

bool in_range(const SettingSpec& spec, double value) {
  if (spec.zero_is_off && value == 0) return true;
  return value >= spec.min && value <= spec.max;
}

Normal wrong(const SettingSpec& spec) {
  return std::unexpected("expected " + expected_form(spec));
}

bool is_port(std::string_view text) {
  const auto port = parse_integer(text);
  return port && *port >= 1 && *port <= 65535 && is_digit(text.front());
}

struct HostPort {
  std::string_view host, port;
  bool has_port = false;
};

/// `host`, `host:port`, `[v6]:port`; nothing where brackets or colons do not fit.
std::optional<HostPort> split_host(std::string_view text) {
  HostPort out;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    out.host = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    if (text.empty()) return out;
    if (text.front() != ':') return {};
    out.has_port = true;
    out.port = text.substr(1);
    return out;
  }
  const std::size_t colon = text.find(':');
  out.host = text.substr(0, colon);
  if (colon == std::string_view::npos) return out;
  out.has_port = true;
  out.port = text.substr(colon + 1);
  return out;
}

bool has_blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; });
}

constexpr std::string_view kHubPath = "/api/v1";

Normal normal_url(const SettingSpec& spec, std::string_view value) {
  std::string text(value);
  if (spec.bare_host && text.find("://") == std::string::npos) {
    const auto bare = split_host(std::string_view(text).substr(0, text.find('/')));
    const std::string port = bare && !bare->has_port ? ":11434" : "";
    const std::size_t slash = std::min(text.find('/'), text.size());
    text = "http://" + text.substr(0, slash) + port + text.substr(slash);
  }
  const std::size_t mark = text.find("://");
  if (mark == std::string::npos) return wrong(spec);
  const std::string scheme = lower_case(std::string_view(text).substr(0, mark));
  if ((scheme != "http" && scheme != "https") || has_blank_or_control(text)) return wrong(spec);
  std::string_view rest = std::string_view(text).substr(mark + 3);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("expected " + expected_form(spec) + " without query or fragment");
  while (rest.ends_with('/'))
    rest.remove_suffix(1);
  std::string_view authority = rest.substr(0, rest.find('/'));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  const auto host = split_host(authority);
  if (!host || host->host.empty()) return wrong(spec);
  if (host->has_port && !is_port(host->port))
    return std::unexpected(fmt::format("port \"{}\", expected 1..65535", shown_value(host->port)));
  if (spec.name == "HUB_URL" && rest.ends_with(kHubPath)) {
    // Calls add it: with it twice, each would be answered 404.
    const auto path = rest.substr(rest.find('/'));
    return std::unexpected(fmt::format("expected the address without {}, here {}://{}{}", kHubPath,
                                       scheme, authority,
                                       path.substr(0, path.size() - kHubPath.size())));
  }
  return scheme + "://" + std::string(rest);
}

std::optional<std::string> wrong_redis_host(std::string_view host_text) {
  const auto host = split_host(host_text);
  if (!host || host->host.empty()) return "missing host, expected redis://host:6379";
  if (host->has_port && !is_port(host->port))
    return fmt::format("port \"{}\", expected 1..65535", shown_value(host->port));
  return {};
}

std::optional<std::string> wrong_redis_db(std::string_view db) {
  if (db.empty()) return {};
  const auto number = parse_integer(db);
  if (number && *number >= 0 && is_digit(db.front()) && *number <= 1'000'000) return {};
  return fmt::format("database \"{}\", expected a whole number of at least 0", shown_value(db));
}

/// The value of `db` in `a=1&db=2`, empty where there is none.
std::string_view query_db(std::string_view query) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    if (pair.starts_with("db=")) return pair.substr(3);
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return {};
}

std::optional<std::string> wrong_sentinel(std::string_view hosts, std::string_view path) {
  while (true) {
    const std::size_t comma = hosts.find(',');
    if (auto fault = wrong_redis_host(hosts.substr(0, comma))) return fault;
    if (comma == std::string_view::npos) break;
    hosts.remove_prefix(comma + 1);
  }
  const std::string_view master = path.substr(0, path.find('/'));
  if (master.empty()) return "missing master name, expected redis+sentinel://host:26379/master";
  constexpr std::string_view kNameCharacters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_";
  if (master.find_first_not_of(kNameCharacters) != std::string_view::npos)
    return fmt::format("master name \"{}\", expected letters, digits, '.', '-' and '_'",
                       shown_value(master));
  return wrong_redis_db(path.size() > master.size() ? path.substr(master.size() + 1) : "");
}

Normal normal_redis_url(std::string_view value) {
  constexpr std::string_view kSchemes = "expected redis://, rediss:// or unix://";
  const std::size_t mark = value.find("://");
  if (mark == std::string_view::npos)
    return std::unexpected(fmt::format("missing scheme, {}", kSchemes));
  const std::string scheme = lower_case(value.substr(0, mark));
  std::string_view rest = value.substr(mark + 3);
  std::optional<std::string> fault;
  if (has_blank_or_control(value)) {
    fault = fmt::format("blank or control character, {}", kSchemes);
  } else if (scheme == "unix") {
    const std::string_view file = rest.substr(0, rest.find('?'));
    if (!file.starts_with('/'))
      fault = "missing absolute path, expected unix:///path/redis.sock";
    else
      fault = wrong_redis_db(query_db(rest.substr(std::min(rest.size(), file.size() + 1))));
  } else if (scheme == "redis" || scheme == "rediss" || scheme == "redis+sentinel" ||
             scheme == "rediss+sentinel") {
    if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
      rest.remove_prefix(at + 1);
    const std::string_view before_query = rest.substr(0, rest.find('?'));
    const std::string_view query = rest.substr(std::min(rest.size(), before_query.size() + 1));
    const std::string_view hosts = before_query.substr(0, before_query.find('/'));
    const std::string_view path =
        before_query.substr(std::min(before_query.size(), hosts.size() + 1));
    fault = scheme.ends_with("sentinel") ? wrong_sentinel(hosts, path) : wrong_redis_host(hosts);
    if (!fault && !scheme.ends_with("sentinel")) fault = wrong_redis_db(path);
    if (!fault) fault = wrong_redis_db(query_db(query));
  } else {
    fault = fmt::format("unknown scheme \"{}\", {}", shown_value(scheme), kSchemes);
  }
  if (fault) return std::unexpected(*fault);
  return scheme + std::string(value.substr(mark));
}

Normal normal_database_url(const SettingSpec& spec, std::string_view value) {
  const std::size_t mark = value.find("://");
  if (mark == std::string_view::npos) return wrong(spec);
  std::string scheme = lower_case(value.substr(0, mark));
  // Python's drivers are named in the scheme; which one does not matter here.
  scheme = scheme.substr(0, scheme.find('+'));
  if (scheme == "postgres") scheme = "postgresql";
  const std::string_view rest = value.substr(mark + 3);
  const bool good = scheme == "sqlite" ? rest.starts_with('/') && rest.size() > 1
                                       : scheme == "postgresql" && !rest.empty();
  if (!good) return wrong(spec);
  return scheme + "://" + std::string(rest);
}

Normal normal_choice(const SettingSpec& spec, std::string_view value) {
  for (const std::string_view choice : spec.choices)
    if (lower_case(choice) == lower_case(value)) return std::string(choice);
  return wrong(spec);
}

Normal normal_rate(const SettingSpec& spec, std::string_view value) {
  if (value == "0") return std::string("0");
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return wrong(spec);
  const auto count = parse_integer(value.substr(0, slash));
  std::string_view period = value.substr(slash + 1);
  std::size_t digits = 0;
  while (digits < period.size() && is_digit(period[digits]))
    ++digits;
  const auto number = digits == 0 ? 1 : parse_integer(period.substr(0, digits)).value_or(0);
  const std::string unit = lower_case(period.substr(digits));
  constexpr std::array<std::string_view, 8> kUnits = {"s", "sec",  "m", "min",
                                                      "h", "hour", "d", "day"};
  const bool known = std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end();
  if (!count || *count < 0 || *count > 1'000'000'000 || number < 1 || number > 1'000'000 || !known)
    return wrong(spec);
  if (*count == 0) return std::string("0");
  return std::string(value);
}

bool is_json_map_of_strings(std::string_view value) {
  const auto document = try_parse_json(value);
  if (!document || !document->is_object()) return false;
  return std::all_of(document->as_object().begin(), document->as_object().end(),
                     [](const auto& entry) { return entry.value().is_string(); });
}

bool is_identifier(std::string_view value) {
  const auto good = [](char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '.' || c == '_' || c == '-';
  };
  return value.size() <= 128 && std::all_of(value.begin(), value.end(), good);
}

Normal normal_size(const SettingSpec& spec, std::string_view value) {
  const auto bytes = parse_size(value);
  if (!bytes) return wrong(spec);
  if (static_cast<double>(*bytes) < spec.min)
    return std::unexpected(
        fmt::format("expected a size of at least {}m", static_cast<std::int64_t>(spec.min) >> 20));
  return std::to_string(*bytes);
}

Normal normal_path(const SettingSpec& spec, std::string_view value) {
  if (value.find('\0') != std::string_view::npos) return wrong(spec);
  if (spec.name != "API_PREFIX" && spec.name != "METRICS_PATH") return std::string(value);
  // Two paths of URLs: they begin with a slash and do not end with one.
  while (value.size() > 1 && value.ends_with('/'))
    value.remove_suffix(1);
  if (!value.starts_with('/') || value.size() < 2 || has_blank_or_control(value) ||
      value.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("expected a path such as " + std::string(spec.default_value));
  return std::string(value);
}

std::string one_of(const std::vector<std::string_view>& choices) {
  std::string out;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) out += i + 1 == choices.size() ? " or " : ", ";
    out += choices[i];
  }
  return out;
}

std::string range_form(const SettingSpec& spec, std::string_view noun, std::string_view open_noun) {
  const std::string off = spec.zero_is_off && spec.min > 0 ? "0 (off) or " : "";
  if (spec.max >= 9e15) return fmt::format("{}{} of at least {}", off, open_noun, spec.min);
  return fmt::format("{}{} {}..{}", off, noun, spec.min, spec.max);
}

}  // namespace

std::string expected_form(const SettingSpec& spec) {
  switch (spec.type) {
    case SettingType::text:
      return "text on one line";
    case SettingType::url:
      return "http:// or https:// URL";
    case SettingType::redis_url:
      return "redis://, rediss:// or unix://";
    case SettingType::integer:
      return range_form(spec, "a whole number", "a whole number");
    case SettingType::duration:
      return range_form(spec, "whole seconds", "whole seconds");
    case SettingType::number:
      return range_form(spec, "a number", "a number");
    case SettingType::boolean:
      return "true or false";
    case SettingType::enumeration:
      return one_of(spec.choices);
    case SettingType::size:
      return "a size such as 512m, 2g or 2Gi";
    case SettingType::cpu:
      return "processors above 0, such as 1.0 or 500m";
    case SettingType::list:
      return "values separated by commas, or a JSON list of strings";
    case SettingType::json_map:
      return "a JSON object of agent name to key";
    case SettingType::path:
      return "a file or folder name";
    case SettingType::identifier:
      return "1 to 128 of the characters A-Z a-z 0-9 . _ -";
    case SettingType::rate:
      return "a rate such as 50/h or 1/30m, or 0 for no limit";
    case SettingType::host:
      return "an address or host name without port";
    case SettingType::database_url:
      return "sqlite:///PATH or postgresql://user@host/name";
  }
  return "another value";
}

std::expected<std::string, std::string> normalise_setting(const SettingSpec& spec,
                                                          std::string_view value) {
  switch (spec.type) {
    case SettingType::text:
      if (std::any_of(value.begin(), value.end(),
                      [](char c) { return c == '\n' || c == '\r' || c == '\0'; }))
        return wrong(spec);
      return std::string(value);
    case SettingType::url:
      return normal_url(spec, value);
    case SettingType::redis_url:
      return normal_redis_url(value);
    case SettingType::database_url:
      return normal_database_url(spec, value);
    case SettingType::integer: {
      const auto number = parse_integer(value);
      if (!number || !in_range(spec, static_cast<double>(*number))) return wrong(spec);
      return std::to_string(*number);
    }
    case SettingType::duration: {
      const auto seconds = parse_seconds(value);
      if (!seconds || !in_range(spec, static_cast<double>(*seconds))) return wrong(spec);
      return std::to_string(*seconds);
    }
    case SettingType::number: {
      const auto number = parse_number(value);
      if (!number || !in_range(spec, *number)) return wrong(spec);
      return std::string(value);
    }
    case SettingType::boolean: {
      const auto truth = parse_bool(value);
      if (!truth) return wrong(spec);
      return std::string(*truth ? "true" : "false");
    }
    case SettingType::enumeration:
      return normal_choice(spec, value);
    case SettingType::size:
      return normal_size(spec, value);
    case SettingType::cpu: {
      const auto cpus = parse_cpu(value);
      if (!cpus || !in_range(spec, *cpus)) return wrong(spec);
      return fmt::format("{}", *cpus);
    }
    case SettingType::list:
      if (!parse_list(value)) return wrong(spec);
      return std::string(value);
    case SettingType::json_map:
      if (!is_json_map_of_strings(value)) return std::unexpected("not " + expected_form(spec));
      return std::string(value);
    case SettingType::path:
      return normal_path(spec, value);
    case SettingType::identifier:
      if (!is_identifier(value)) return wrong(spec);
      return std::string(value);
    case SettingType::rate:
      return normal_rate(spec, value);
    case SettingType::host: {
      const bool v6 = value.find(':') != value.rfind(':');
      if (has_blank_or_control(value) || value.find('/') != std::string_view::npos ||
          (!v6 && value.find(':') != std::string_view::npos))
        return wrong(spec);
      return std::string(value);
    }
  }
  return wrong(spec);
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  return {};
}

std::optional<std::int64_t> parse_seconds(std::string_view text) {
  std::int64_t factor = 1;
  if (!text.empty() && !is_digit(text.back())) {
    switch (lower(text.back())) {
      case 's':
        factor = 1;
        break;
      case 'm':
        factor = 60;
        break;
      case 'h':
        factor = 3600;
        break;
      case 'd':
        factor = 86400;
        break;
      default:
        return {};
    }
    text.remove_suffix(1);
  }
  if (text.empty() || !is_digit(text.back())) return {};
  const auto number = parse_integer(text);
  if (!number || *number > 1'000'000'000'000 || *number < -1'000'000'000'000) return {};
  return *number * factor;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits]))
    ++digits;
  const auto number = parse_integer(text.substr(0, digits));
  if (digits == 0 || !number) return {};
  std::string unit = lower_case(text.substr(digits));
  if (unit.size() > 1 && unit.ends_with('b')) unit.pop_back();
  if (unit.size() > 1 && unit.ends_with('i')) unit.pop_back();
  constexpr std::string_view kUnits = "bkmgt";
  if (unit.size() > 1) return {};
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit);
  if (power == std::string_view::npos) return {};
  const unsigned shift = static_cast<unsigned>(power) * 10;
  const auto bytes = static_cast<std::uint64_t>(*number);
  if (bytes > (std::uint64_t{1} << 62) >> shift) return {};
  return bytes << shift;
}

std::optional<double> parse_cpu(std::string_view text) {
  const bool thousandths = text.ends_with('m');
  if (thousandths) text.remove_suffix(1);
  const auto number = parse_number(text);
  if (!number || *number <= 0) return {};
  return thousandths ? *number / 1000 : *number;
}

std::optional<std::vector<std::string>> parse_list(std::string_view text) {
  std::vector<std::string> out;
  if (text.starts_with('[')) {
    const auto document = try_parse_json(text);
    if (!document || !document->is_array()) return {};
    for (const json::value& item : document->as_array()) {
      if (!item.is_string()) return {};
      out.emplace_back(item.as_string());
    }
    return out;
  }
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (const auto item = without_blanks(text.substr(0, comma)); !item.empty())
      out.emplace_back(item);
    text.remove_prefix(std::min(text.size(), comma + 1));
  }
  return out;
}

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

namespace {

/// The value of a `.env` line after `=`: quoted, or up to a comment.
std::string dotenv_value(std::string_view text) {
  text = without_blanks(text);
  if (text.empty()) return {};
  const char quote = text.front();
  if (quote != '"' && quote != '\'') {
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t'))
        return std::string(without_blanks(text.substr(0, i)));
    return std::string(text);
  }
  std::string out;
  for (std::size_t i = 1; i < text.size() && text[i] != quote; ++i) {
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i];
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::map<std::string, std::string, std::less<>> parse_dotenv(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.starts_with("export ")) line = without_blanks(line.substr(7));
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    const std::string_view name = without_blanks(line.substr(0, equals));
    if (!name.empty()) out[std::string(name)] = dotenv_value(line.substr(equals + 1));
  }
  return out;
}

std::string shown_value(std::string_view value) {
  std::string text(value);
  // The last @ ends the credentials even where a password holds a slash or an @ of its own.
  if (const std::size_t at = text.rfind('@'); at != std::string::npos) {
    const std::size_t mark = text.find("://");
    const std::size_t begin = mark == std::string::npos || mark > at ? 0 : mark + 3;
    const std::size_t colon = text.find(':', begin);
    if (colon != std::string::npos && colon < at) text.replace(colon + 1, at - colon - 1, "***");
  }
  std::string safe = valid_utf8(utf8_prefix(text, 200));
  std::string out;
  for (const char c : safe) {
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < ' ' || c == 127)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return text.size() > 200 ? out + "…" : out;
}

}  // namespace botburrow
