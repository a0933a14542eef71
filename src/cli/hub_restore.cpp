#include "cli/hub_restore.hpp"

#include "base/error.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "hub/backup.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace botburrow::cli {

namespace fs = std::filesystem;

namespace {

std::optional<Owner> owner_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return Owner{.user = info.st_uid, .group = info.st_gid};
}

}  // namespace

Scratch::~Scratch() {
  for (const auto* end : {"", "-journal", "-wal", "-shm"})
    ::unlink((path_ + end).c_str());
}

void refuse_folder_of_others(const std::string& folder) {
  for (const auto* name : {"/hub.db", "/keys.json"}) {
    const auto owner = owner_of(folder + name);
    if (owner && owner->user != ::geteuid())
      throw Error(errc::bad_input,
                  fmt::format("{}{} belongs to user {}: run restore as that user (sudo -u '#{}')",
                              folder, name, owner->user, owner->user));
  }
}

HubRestore::HubRestore(const std::string& path, bool force) : path_(hub::real_path(path)) {
  const auto folder = folder_of_file();
  std::error_code error;
  fs::create_directories(folder, error);
  if (!force && fs::exists(path_))
    throw Error(errc::already_exists,
                fmt::format("{}: a Hub's database is there; --force replaces it", path_));
  replaced_ = owner_of(path_);
  const auto lock = hub::lock_path(path_);
  const bool locked_before = fs::exists(lock);
  lock_.emplace(lock, FileLock::Words{.what = "hub database " + path_,
                                      .cure = "name another with --hub-database FILE"});
  if (!locked_before) give(lock);
}

void HubRestore::prepare(const std::string& backup, const BackupHeader& header,
                         std::optional<std::int64_t> redis) {
  extract_hub_part(backup, header, scratch_.path());
  hub::prepare_restored(scratch_.path(), reached(redis));
  give(scratch_.path());
}

void HubRestore::put() {
  for (const auto* end : {"-wal", "-shm", "-journal"})
    ::unlink((path_ + end).c_str());
  if (::rename(scratch_.path().c_str(), path_.c_str()) != 0)
    throw Error(errc::io, fmt::format("{}: cannot be replaced: {}", path_, std::strerror(errno)));
  // The name is on the disk only with its folder.
  const int folder = ::open(folder_of_file().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

std::string HubRestore::folder_of_file() const {
  const auto folder = fs::path(path_).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::int64_t HubRestore::reached(std::optional<std::int64_t> redis) const {
  const auto hub = hub::find_generation(path_);
  if (!hub && !redis) return to_unix_ms(system_clock().wall()) / 1000;
  return std::max(hub.value_or(0), redis.value_or(0));
}

void HubRestore::give(const std::string& path) const {
  auto owner = replaced_;
  if (!owner && ::geteuid() == 0) owner = owner_of(folder_of_file());
  if (!owner || owner->user == ::geteuid()) return;
  if (::lchown(path.c_str(), owner->user, owner->group) != 0)
    throw Error(errc::io, fmt::format("{} belongs to user {}, and its replacement cannot: {}; "
                                      "run restore as that user, or as root",
                                      path_, owner->user, std::strerror(errno)));
}

}  // namespace botburrow::cli
