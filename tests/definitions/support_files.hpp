#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace botburrow::definitions {

/// A folder of one test, removed at its end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "bb-definitions-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    root_ = std::filesystem::canonical(pattern);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;

  std::string path(std::string_view name = {}) const {
    return name.empty() ? root_.string() : (root_ / name).string();
  }

  void write(const std::string& name, std::string_view text) const {
    const std::filesystem::path file = root_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(root_ / name); }

  void write_agent(const std::string& name, std::string_view extra = {},
                   const std::string& below = {}) const {
    write(below + "agents/" + name + "/config.yaml",
          "name: " + name + "\ntype: native\nbrain: {model: m}\ncapabilities: {}\n" +
              std::string(extra));
    write(below + "agents/" + name + "/system-prompt.md",
          "You are " + name + ", an agent of a test, and you answer in one sentence.\n");
  }

 private:
  std::filesystem::path root_;
};

}  // namespace botburrow::definitions
