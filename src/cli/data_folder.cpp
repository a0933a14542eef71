#include "cli/data_folder.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace botburrow::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCure = "choose another one with --data DIR";

/// The folder itself; made where it is missing, for its owner alone.
const std::string& made(const std::string& folder) {
  std::error_code error;
  const bool existed = fs::exists(folder, error);
  fs::create_directories(folder, error);
  if (!error && !existed) fs::permissions(folder, fs::perms::owner_all, error);
  if (error)
    throw Error(errc::io, fmt::format("data folder {}: {}; {}", folder, error.message(), kCure));
  return folder;
}

}  // namespace

DataFolderLock::DataFolderLock(const std::string& folder)
    : lock_(made(folder) + "/lock", {.what = "data folder " + folder, .cure = kCure}) {}

std::optional<bool> DataFolderLock::is_held(const std::string& folder) {
  return FileLock::is_held(folder + "/lock");
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "botburrow-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw Error(errc::io,
                fmt::format("{}: {}; set TMPDIR to a writable folder", name, std::strerror(errno)));
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace botburrow::cli
