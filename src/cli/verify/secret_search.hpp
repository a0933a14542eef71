#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace botburrow::cli::verify {

/// Where secrets were looked for, and the first place that showed one.
struct SecretSearch {
  std::size_t places = 0, bytes = 0;
  std::string found;  ///< the place; empty: nowhere

  void look(const std::string& place, const std::string& text,
            const std::vector<std::string>& secrets);
};

/// Command lines and environments of all programs that descend from these processes, but not of
/// those processes themselves: they are what the secrets are for. Programs that were looked at
/// before (`seen`) are passed over.
void look_at_programs(const std::vector<int>& services, const std::vector<std::string>& secrets,
                      std::set<int>& seen, SecretSearch& search);

/// Every file below `folder`, but those of more than 64 MiB.
void look_at_files(const std::string& folder, const std::vector<std::string>& secrets,
                   SecretSearch& search);

}  // namespace botburrow::cli::verify
