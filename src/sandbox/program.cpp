#include "sandbox/program.hpp"

#include "net/subprocess.hpp"
#include "sandbox/place.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

namespace botburrow::sandbox {
namespace {

namespace fs = std::filesystem;

bool is_below(std::string_view path, std::string_view folder) {
  while (folder.ends_with('/'))
    folder.remove_suffix(1);
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_of_system(std::string_view path) {
  constexpr std::array<std::string_view, 6> kFolders{"/usr", "/bin",   "/sbin",
                                                     "/lib", "/lib64", "/lib32"};
  return std::ranges::any_of(kFolders, [&](auto folder) { return is_below(path, folder); });
}

/// Packages of Node need those that lie beside them; any other program is its file.
std::string package_of(const fs::path& file) {
  fs::path folder;
  for (const auto& part : file) {
    folder /= part;
    if (part == "node_modules") return folder.string();
  }
  return file.string();
}

}  // namespace

std::optional<LocatedProgram> locate_program(const std::string& name, const std::string& path,
                                             const std::vector<std::string>& folders) {
  const bool plain = name.find('/') == std::string::npos;
  if (!plain && !name.starts_with('/')) return std::nullopt;
  const auto found = net::find_program(name, path);
  if (!found) return std::nullopt;
  std::error_code error;
  const auto file = fs::canonical(*found, error);
  if (error) return std::nullopt;
  LocatedProgram located{.path = is_of_system(*found) ? *found : file.string(),
                         .read_only = folders};
  const bool shown =
      is_of_system(file.string()) || std::ranges::any_of(folders, [&](const auto& folder) {
        return is_below(file.string(), folder);
      });
  if (!shown) located.read_only.push_back(package_of(file));
  return located;
}

bool shows(const LocatedProgram& program, const std::string& path) {
  std::error_code error;
  const auto real = fs::canonical(path, error);
  const auto file = error ? path : real.string();
  return is_of_system(file) || std::ranges::any_of(program.read_only, [&](const auto& folder) {
           return is_below(file, folder);
         });
}

std::vector<std::string> program_environment(const std::string& home,
                                             const std::map<std::string, std::string>& own) {
  std::map<std::string, std::string> all{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"HOME", home},
                                         {"TERM", "xterm-256color"},
                                         {"LANG", "C.UTF-8"}};
  for (const auto& word : Place::proxy_environment()) {
    const auto at = word.find('=');
    all[word.substr(0, at)] = word.substr(at + 1);
  }
  for (const auto& [name, value] : own)
    all[name] = value;
  std::vector<std::string> words;
  for (const auto& [name, value] : all)
    words.push_back(name + "=" + value);
  return words;
}

}  // namespace botburrow::sandbox
