#include "tools/line_search.hpp"

#include "base/json.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace botburrow::tools {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kBinaryLook = 8 * 1024;
/// A longer line is looked at in pieces of this.
constexpr std::size_t kLineBytesMax = 1u << 20;
constexpr std::size_t kShownBytes = 500;

std::string shown(std::string_view line) {
  const auto kept = utf8_prefix(line, kShownBytes);
  return valid_utf8(kept) + (kept.size() < line.size() ? "..." : "");
}

}  // namespace

bool search_lines(int fd, const std::string& name, const LinearRegex& pattern,
                  const sandbox::Patience& patience, std::size_t bytes_max, std::string& found) {
  std::uint64_t number = 1;
  const auto look = [&](std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (pattern.found_in(line)) found += fmt::format("{}:{}:{}\n", name, number, shown(line));
  };
  std::string held;
  std::string chunk(kChunk, '\0');
  for (bool first = true;; first = false) {
    if (patience.over()) return false;
    const auto got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::string_view bytes(chunk.data(), static_cast<std::size_t>(got));
    if (first && bytes.substr(0, kBinaryLook).find('\0') != std::string_view::npos) return true;
    for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
      held.append(bytes.substr(0, end));
      look(held);
      held.clear();
      ++number;
      bytes.remove_prefix(end + 1);
      if (found.size() >= bytes_max) return true;
    }
    held.append(bytes);
    if (held.size() < kLineBytesMax) continue;
    look(held);
    held.clear();
  }
  if (!held.empty()) look(held);
  return true;
}

}  // namespace botburrow::tools
