#pragma once
// Settings that are addresses. Each function answers the normal form, or the end of a problem line.
#include "base/settings.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace botburrow {

using Normal = std::expected<std::string, std::string>;

/// "expected …", as the table describes the setting.
Normal wrong_form(const SettingSpec& spec);

/// http or https, without query or fragment; a bare host where the setting allows one.
Normal normal_url(const SettingSpec& spec, std::string_view value);

/// redis, rediss, unix, redis+sentinel and rediss+sentinel.
Normal normal_redis_url(std::string_view value);

/// sqlite or postgresql, whatever driver the scheme names beside it.
Normal normal_database_url(const SettingSpec& spec, std::string_view value);

/// 1 to 65535, in digits.
bool is_port(std::string_view text);

}  // namespace botburrow
