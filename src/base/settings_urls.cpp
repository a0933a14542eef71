#include "base/settings_urls.hpp"

#include "base/settings_text.hpp"
#include "base/settings_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace botburrow {

namespace {

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

constexpr std::string_view kHubPath = "/api/v1";

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

}  // namespace

Normal wrong_form(const SettingSpec& spec) {
  return std::unexpected("expected " + expected_form(spec));
}

bool is_port(std::string_view text) {
  const auto port = parse_integer(text);
  return port && *port >= 1 && *port <= 65535 && is_digit(text.front());
}

Normal normal_url(const SettingSpec& spec, std::string_view value) {
  std::string text(value);
  if (spec.bare_host && text.find("://") == std::string::npos) {
    const auto bare = split_host(std::string_view(text).substr(0, text.find('/')));
    const std::string port = bare && !bare->has_port ? ":11434" : "";
    const std::size_t slash = std::min(text.find('/'), text.size());
    text = "http://" + text.substr(0, slash) + port + text.substr(slash);
  }
  const std::size_t mark = text.find("://");
  if (mark == std::string::npos) return wrong_form(spec);
  const std::string scheme = lower_case(std::string_view(text).substr(0, mark));
  if ((scheme != "http" && scheme != "https") || has_blank_or_control(text))
    return wrong_form(spec);
  std::string_view rest = std::string_view(text).substr(mark + 3);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return std::unexpected("expected " + expected_form(spec) + " without query or fragment");
  while (rest.ends_with('/'))
    rest.remove_suffix(1);
  std::string_view authority = rest.substr(0, rest.find('/'));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  const auto host = split_host(authority);
  if (!host || host->host.empty()) return wrong_form(spec);
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
  if (mark == std::string_view::npos) return wrong_form(spec);
  std::string scheme = lower_case(value.substr(0, mark));
  // Python's drivers are named in the scheme; which one does not matter here.
  scheme = scheme.substr(0, scheme.find('+'));
  if (scheme == "postgres") scheme = "postgresql";
  const std::string_view rest = value.substr(mark + 3);
  const bool good = scheme == "sqlite" ? rest.starts_with('/') && rest.size() > 1
                                       : scheme == "postgresql" && !rest.empty();
  if (!good) return wrong_form(spec);
  return scheme + "://" + std::string(rest);
}

}  // namespace botburrow
