#pragma once

#include "sandbox/workspace_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace botburrow::sandbox {

/// A folder for the roots of workspaces, gone with the test.
class TemporaryRoot {
 public:
  TemporaryRoot() {
    std::string form = "/tmp/bb-sandbox-XXXXXX";
    path_ = ::mkdtemp(form.data());
    // Where there are no mounts to show workspaces at another place, programs must get there.
    ::chmod(path_.c_str(), 0711);
  }
  ~TemporaryRoot() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryRoot(const TemporaryRoot&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void put(const std::filesystem::path& file, std::string_view text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

inline std::string got(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

inline const std::atomic<bool> kNotStopped{false};
inline Patience patience(std::chrono::nanoseconds d = std::chrono::seconds(20)) {
  return {.deadline = Deadline::in(d), .stopped = kNotStopped};
}

}  // namespace botburrow::sandbox
