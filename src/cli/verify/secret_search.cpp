#include "cli/verify/secret_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace botburrow::cli::verify {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFileMost = 64u << 20;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

/// The parent of each process.
std::map<int, int> parents() {
  std::map<int, int> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // The name in brackets may hold anything; what follows the last one is plain.
    const auto stat = read_file(entry.path() / "stat");
    const auto bracket = stat.rfind(')');
    if (bracket == std::string::npos || stat.size() < bracket + 5) continue;
    all[std::stoi(name)] = std::atoi(stat.c_str() + bracket + 4);
  }
  return all;
}

/// The service that a process descends from; 0: none of them.
int service_above(int pid, const std::map<int, int>& parents, const std::vector<int>& services) {
  for (auto at = parents.find(pid); at != parents.end(); at = parents.find(at->second)) {
    if (std::ranges::find(services, at->second) != services.end()) return at->second;
  }
  return 0;
}

}  // namespace

void SecretSearch::look(const std::string& place, const std::string& text,
                        const std::vector<std::string>& secrets) {
  ++places;
  bytes += text.size();
  const bool shows = std::ranges::any_of(
      secrets, [&](const auto& secret) { return text.find(secret) != std::string::npos; });
  if (shows && found.empty()) found = place;
}

void look_at_programs(const std::vector<int>& services, const std::vector<std::string>& secrets,
                      std::set<int>& seen, SecretSearch& search) {
  const auto all = parents();
  for (const auto& [pid, parent] : all) {
    if (seen.contains(pid) || std::ranges::find(services, pid) != services.end()) continue;
    const auto service = service_above(pid, all, services);
    if (service == 0) continue;
    const auto proc = fmt::format("/proc/{}/", pid);
    const auto words = read_file(proc + "cmdline");
    // Just forked: until it becomes what it is to be it is a copy of the service.
    if (words.empty() || words == read_file(fmt::format("/proc/{}/cmdline", service))) continue;
    seen.insert(pid);
    const auto name = fmt::format("process {} ({})", pid, words.c_str());
    search.look(name, words + '\0' + read_file(proc + "environ"), secrets);
  }
}

void look_at_files(const std::string& folder, const std::vector<std::string>& secrets,
                   SecretSearch& search) {
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;
    if (!at->is_regular_file(gone) || at->is_symlink(gone) || at->file_size(gone) > kFileMost)
      continue;
    search.look(at->path().string(), read_file(at->path()), secrets);
  }
}

}  // namespace botburrow::cli::verify
