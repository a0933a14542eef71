#include "net/subprocess.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace botburrow::net {
namespace {

bool is_program(const std::string& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

}  // namespace

std::optional<std::string> find_program(std::string_view name, std::string_view path) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return {};
  if (name.front() == '/') {
    std::string whole(name);
    return is_program(whole) ? std::optional(std::move(whole)) : std::nullopt;
  }
  if (name.find('/') != std::string_view::npos) return {};
  while (!path.empty()) {
    const auto folder = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
    // A relative folder, and the empty one that means ".", would let a workspace plant programs.
    if (folder.empty() || folder.front() != '/') continue;
    std::string whole(folder);
    if (whole.back() != '/') whole += '/';
    whole += name;
    if (is_program(whole)) return whole;
  }
  return {};
}

}  // namespace botburrow::net
