#pragma once

#include "base/task.hpp"
#include "net/subprocess.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::test {

/// A folder of its own under /tmp, removed with everything in it at the end. The path is short:
/// Unix sockets fit below it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::string file(std::string_view name) const { return (path_ / name).string(); }
  /// Makes the folders in between.
  void write(std::string_view name, std::string_view text) const;
  std::string read(std::string_view name) const;

 private:
  std::filesystem::path path_;
};

/// A program started as a shell would start it, with exactly the environment given. What it prints
/// is collected while the io_context runs. It dies with the test, and at the latest with this
/// object.
class Program {
 public:
  struct Options {
    std::string path;
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;
    std::string folder = "/";  ///< working directory
    std::string input;         ///< on standard input; empty: /dev/null
  };
  Program(boost::asio::io_context& io, Options options);
  /// SIGKILL, and reaped.
  ~Program();
  Program(const Program&) = delete;

  int pid() const { return process_->pid(); }
  const std::vector<std::string>& arguments() const { return options_.arguments; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  bool ended() const { return exit_code_.has_value(); }
  /// 128 + signal where it was killed; nothing while it runs.
  std::optional<int> exit_code() const { return exit_code_; }

  /// To the program alone, not to its children.
  void signal(int number);
  /// SIGKILL; returns when it is gone.
  void kill9();
  /// Waits for the end and for the rest of the output. Throws when `limit` passes.
  int wait(std::chrono::nanoseconds limit = std::chrono::seconds(30));

  /// Log lines of standard output: every line that is a JSON object, in order.
  std::vector<boost::json::object> log() const;
  /// Those with this event.
  std::vector<boost::json::object> events(std::string_view event) const;

 private:
  Task<> read_out();
  Task<> read_err();
  Task<> feed_and_wait();

  boost::asio::io_context& io_;
  Options options_;
  std::unique_ptr<net::Process> process_;
  std::string out_, err_;
  std::optional<int> exit_code_;
  int readers_ = 2;
  TaskGroup tasks_;
};

/// Whether a process with this id is there (a zombie is not).
bool process_lives(int pid);

}  // namespace botburrow::test
