#pragma once

#include "sandbox/place.hpp"
#include "tests/sandbox/temporary_root.hpp"
#include "tests/support/log_lines.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace botburrow::sandbox {

using namespace std::chrono_literals;

/// A runner's sandboxes on a root of their own, and one activation's place in it.
class SandboxWorld {
 public:
  /// `models`: proxies can pass requests on.
  explicit SandboxWorld(SandboxSettings changed = {}, bool models = false)
      : with_models(models), settings([&] {
          changed.workspace_root = root.path();
          return changed;
        }()) {}
  ~SandboxWorld() { run(place.close()); }
  SandboxWorld(const SandboxWorld&) = delete;

  template <class T>
  T run(Task<T> task) {
    return test::run_task(ioc, std::move(task), 60s);
  }
  std::shared_ptr<Sandbox> sandbox() { return run(place.sandbox()); }
  std::filesystem::path inside() {
    run(place.files());
    return root.path() / "place-1";
  }

  static Command bash(std::string line) {
    return {.argv = {"bash", "-c", std::move(line)},
            .environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/workspace"}};
  }
  CommandResult run_command(Command command, std::chrono::nanoseconds time = 20s) {
    return run(sandbox::run_command(*sandbox(), std::move(command), "", Deadline::in(time)));
  }
  CommandResult run_line(std::string line, std::chrono::nanoseconds time = 20s) {
    return run_command(bash(std::move(line)), time);
  }
  std::string out_of(std::string line) { return run_line(std::move(line)).process.out; }

  TemporaryRoot root;
  boost::asio::io_context ioc;
  Metrics metrics;
  net::HttpClient http{ioc.get_executor(), {}};
  bool with_models;
  SandboxSettings settings;
  Sandboxes sandboxes{settings, Log::none(), metrics, {.http = with_models ? &http : nullptr}};
  Place place{sandboxes, "place-1", Log::none()};
};

}  // namespace botburrow::sandbox
