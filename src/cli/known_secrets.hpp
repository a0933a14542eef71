#pragma once

#include "base/scrubber.hpp"
#include "base/settings.hpp"
#include "cli/environment.hpp"

namespace botburrow::cli {

/// Tells the scrubber every secret that this process was started with: settings marked secret, the
/// values of maps of keys, passwords in URLs, and variables that are named like one, whether or not
/// this program reads them.
void learn_secrets(Scrubber& scrubber, const Environment& environment, const Settings& settings);

}  // namespace botburrow::cli
