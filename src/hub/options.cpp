#include "hub/rate_limit.hpp"
#include "hub/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace botburrow::hub {
namespace {

using namespace std::chrono_literals;

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

std::vector<std::string> check_options(const HubOptions& options) {
  std::vector<std::string> faults;
  const auto fault = [&faults](std::string_view name, const std::string& value,
                               std::string_view expected) {
    faults.push_back(fmt::format("{}=\"{}\": expected {}", name, value, expected));
  };
  const auto check_rate = [&](std::string_view name, const std::string& rule) {
    if (!parse_rate(rule)) fault(name, rule, "a rate such as 50/h, 100/min, 1/30m, or 0 for none");
  };
  check_rate("HUB_RATE_ALL", options.rates.all);
  check_rate("HUB_RATE_POSTS", options.rates.posts);
  check_rate("HUB_RATE_COMMENTS", options.rates.comments);
  check_rate("HUB_RATE_VOTES", options.rates.votes);
  check_rate("HUB_RATE_HOOKS", options.rates.hooks);
  if (options.port < 0 || options.port > 65535)
    fault("BOTBURROW_API_PORT", std::to_string(options.port), "0..65535");
  const std::string& prefix = options.api_prefix;
  if (prefix.size() < 2 || prefix.front() != '/' || prefix.back() == '/' ||
      prefix.find_first_of(":*? ") != std::string::npos) {
    fault("BOTBURROW_API_PREFIX", prefix, "a path such as /api/v1");
  }
  if (options.metrics_path.size() < 2 || options.metrics_path.front() != '/') {
    fault("BOTBURROW_METRICS_PATH", options.metrics_path, "a path such as /metrics");
  }
  if (options.database_path.empty())
    fault("BOTBURROW_DATABASE_URL", "", "sqlite:///<path of a file>");
  const std::string& hash = options.admin_key_hash;
  if (!hash.empty() &&
      (hash.size() != 64 ||
       !std::all_of(hash.begin(), hash.end(), [](unsigned char c) { return std::isxdigit(c); }))) {
    faults.push_back(
        fmt::format("BOTBURROW_ADMIN_API_KEY_HASH ({} characters): expected the SHA-256 of the key "
                    "as 64 hex digits",
                    hash.size()));
  }
  if (options.api_key_bytes < 16 || options.api_key_bytes > 64) {
    fault("BOTBURROW_API_KEY_LENGTH", std::to_string(options.api_key_bytes), "whole bytes 16..64");
  }
  if (options.poll_lease < 1s || options.poll_lease > 1h) {
    fault("HUB_POLL_LEASE_S", std::to_string(options.poll_lease.count()), "whole seconds 1..3600");
  }
  if (options.max_agent_turns < 1 || options.max_agent_turns > 100'000) {
    fault("HUB_MAX_AGENT_TURNS", std::to_string(options.max_agent_turns),
          "a whole number 1..100000");
  }
  const auto check_usd = [&](std::string_view name, double usd) {
    if (!std::isfinite(usd) || usd < 0)
      fault(name, fmt::format("{}", usd), "US dollars, 0 for no limit");
  };
  check_usd("HUB_DEFAULT_DAILY_USD", options.default_daily_usd);
  check_usd("HUB_DEFAULT_MONTHLY_USD", options.default_monthly_usd);
  for (const std::string& origin : options.cors_origins) {
    const bool web = origin.starts_with("http://") || origin.starts_with("https://");
    if (!web || origin.ends_with('/'))
      fault("BOTBURROW_CORS_ORIGINS", origin, "origins such as https://hub.example.org");
  }
  if (options.auth_mode == AuthMode::open && !options.auth_open_forced &&
      !is_loopback(options.host)) {
    fault("HUB_AUTH_MODE", "open",
          fmt::format("strict: {} can be reached from outside; listen on 127.0.0.1 instead",
                      options.host));
  }
  return faults;
}

}  // namespace botburrow::hub
