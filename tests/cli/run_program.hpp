#pragma once

#include <map>
#include <string>
#include <vector>

namespace botburrow::cli {

struct Ran {
  int exit_code = -1;
  std::string out, err;
};

/// How the built program is started in a test: nothing of the surroundings reaches it.
struct Invocation {
  std::vector<std::string> arguments;
  std::map<std::string, std::string> environment = {};
  std::string input = {};
  std::string folder = "/";  ///< working directory
};

/// Runs it to its end, at most 60 seconds.
Ran run_program(const Invocation& invocation);

/// A folder of its own, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

}  // namespace botburrow::cli
