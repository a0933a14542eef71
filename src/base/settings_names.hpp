#pragma once
// The names of settings: which are ours, and what one that is not might have meant.
#include "base/settings.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace botburrow {

inline constexpr std::string_view kSettingPrefix = "BOTBURROW_";

std::string_view without_prefix(std::string_view name);

/// A row with a star, which stands for many names.
bool is_family(const SettingSpec& spec);

/// What stands for the star of a family in `name`; nothing where it is not of the family.
std::optional<std::string> member_of(const SettingSpec& family, std::string_view name);

/// Kubernetes puts the addresses of Services into every container: MY_HUB_SERVICE_HOST,
/// MY_HUB_PORT=tcp://…, MY_HUB_PORT_80_TCP_ADDR. None of that is meant for us.
bool is_injected_by_kubernetes(std::string_view name, std::string_view value);

/// `name` without BOTBURROW_, upper case.
bool is_known(std::string_view name);

std::optional<std::string_view> nearest_name(std::string_view name);

/// A program that runs every service.
bool is_all_in_one(std::string_view program);

}  // namespace botburrow
