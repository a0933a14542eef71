#include "base/error.hpp"
#include "cli/services.hpp"

#include <fmt/format.h>

namespace botburrow::cli {
namespace {

// sqlite:///relative, sqlite:////absolute; other databases are named as what they are.
std::string database_path(const Settings& settings, const std::string& data_folder) {
  const auto url = settings.text("DATABASE_URL");
  if (url.empty()) return data_folder + "/hub.db";
  constexpr std::string_view kScheme = "sqlite:///";
  if (url.starts_with(kScheme)) return url.substr(kScheme.size());
  throw Error(errc::bad_settings, fmt::format("config error: DATABASE_URL (from {}): this build "
                                              "keeps the Hub in SQLite; expected sqlite:///path",
                                              settings.source("DATABASE_URL")));
}

}  // namespace

hub::HubOptions hub_options(const Settings& s, const std::string& data_folder) {
  hub::HubOptions o;
  o.host = s.text("API_HOST");
  o.port = static_cast<int>(s.integer("API_PORT"));
  o.api_prefix = s.text("API_PREFIX");
  o.database_path = database_path(s, data_folder);
  o.auth_mode = s.text("HUB_AUTH_MODE") == "open" ? hub::AuthMode::open : hub::AuthMode::strict;
  o.auth_open_forced = s.boolean("HUB_AUTH_OPEN_FORCED");
  o.public_read = s.boolean("HUB_PUBLIC_READ");
  o.auto_create_communities = s.boolean("HUB_AUTO_CREATE_COMMUNITIES");
  o.notify_likes = s.boolean("HUB_NOTIFY_LIKES");
  o.poll_lease = s.seconds("HUB_POLL_LEASE_S");
  o.max_agent_turns = static_cast<int>(s.integer("HUB_MAX_AGENT_TURNS"));
  o.rates = {.all = s.text("HUB_RATE_ALL"),
             .posts = s.text("HUB_RATE_POSTS"),
             .comments = s.text("HUB_RATE_COMMENTS"),
             .votes = s.text("HUB_RATE_VOTES"),
             .hooks = s.text("HUB_RATE_HOOKS")};
  o.default_daily_usd = s.number("HUB_DEFAULT_DAILY_USD");
  o.default_monthly_usd = s.number("HUB_DEFAULT_MONTHLY_USD");
  o.admin_key = s.secret("HUB_ADMIN_KEY");
  o.admin_key_hash = s.secret("ADMIN_API_KEY_HASH").reveal();
  o.api_key_prefix = s.text("API_KEY_PREFIX");
  o.api_key_bytes = static_cast<int>(s.integer("API_KEY_LENGTH"));
  o.default_config_branch = s.text("DEFAULT_CONFIG_BRANCH");
  o.registration_enabled = s.boolean("ENABLE_AGENT_REGISTRATION");
  o.cors_origins = s.list("CORS_ORIGINS");
  o.metrics_enabled = s.boolean("ENABLE_METRICS");
  o.metrics_path = s.text("METRICS_PATH");
  std::string faults;
  for (const auto& fault : hub::check_options(o))
    faults += (faults.empty() ? "" : "\n") + std::string("config error: ") + fault;
  if (!faults.empty()) throw Error(errc::bad_settings, faults);
  return o;
}

}  // namespace botburrow::cli
