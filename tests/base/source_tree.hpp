#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace botburrow::test {

inline std::filesystem::path source_root() {
  return BOTBURROW_SOURCE_DIR;
}

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Every regular file below `folder` of the source tree, sorted.
inline std::vector<std::filesystem::path> files_below(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source_root() / folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// As messages name it: from the root of the repository on.
inline std::string name_of(const std::filesystem::path& file) {
  return std::filesystem::relative(file, source_root()).generic_string();
}

}  // namespace botburrow::test
