// What working with files and programs costs an activation: its sandbox, a command, a call of a
// file tool, a line to a program that stays and back. Prints one line a figure: `name value unit`.
#include "mcp/connect.hpp"
#include "sandbox/place.hpp"
#include "tests/sandbox/temporary_root.hpp"
#include "tests/support/run_task.hpp"
#include "tools/core_tools.hpp"
#include "tools/sandbox_launcher.hpp"
#include "tools/toolbox.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <vector>

namespace botburrow::bench {
namespace {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::duration<double, std::milli>;

void figure(const std::string& name, double value, const std::string& unit) {
  std::printf("%-52s %10.3f %s\n", name.c_str(), value, unit.c_str());
}

void figures(const std::string& name, std::vector<double> values) {
  std::ranges::sort(values);
  figure(name + ", p50", values[values.size() / 2], "ms");
  figure(name + ", p99", values[values.size() * 99 / 100], "ms");
}

double resident_mib(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

/// Of every process that descends from us.
double resident_of_children(int pid) {
  std::ifstream children("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) +
                         "/children");
  double sum = 0;
  for (int child = 0; children >> child;)
    sum += resident_mib(child) + resident_of_children(child);
  return sum;
}

class Hands {
 public:
  void run() {
    const auto tier = test::run_task(ioc_, sandboxes_.tier());
    std::printf("tier: %s\n", std::string(name_of(tier.tier)).c_str());
    starts();
    commands();
    files();
    resident();
    server();
  }

 private:
  static sandbox::Command truth() {
    return {.argv = {"true"}, .environment = {"PATH=/usr/bin:/bin"}};
  }
  template <class Body>
  std::vector<double> timed(int times, Body body) {
    std::vector<double> took;
    for (int round = 0; round < times; ++round) {
      const auto begun = BootClock::now();
      test::run_task(ioc_, body(), 60s);
      took.push_back(Milliseconds(BootClock::now() - begun).count());
    }
    return took;
  }

  void starts() {
    std::vector<double> started, ended;
    for (int round = 0; round < 40; ++round) {
      sandbox::Place place(sandboxes_, "place-" + std::to_string(round), Log::none());
      const auto one = timed(1, [&]() -> Task<> { co_await place.sandbox(); });
      if (round == 0) figure("sandbox: resident", resident_of_children(::getpid()), "MiB");
      started.push_back(one.front());
      ended.push_back(timed(1, [&] { return place.close(); }).front());
    }
    figures("sandbox: workspace and start", started);
    figures("sandbox: end, all removed", ended);
  }

  void commands() {
    sandbox::Place place(sandboxes_, "place-c", Log::none());
    const auto room = test::run_task(ioc_, place.sandbox());
    figures("command in a sandbox that is there (`true`)", timed(300, [&]() -> Task<> {
              co_await sandbox::run_command(*room, truth(), "", Deadline::in(10s));
            }));
    test::run_task(ioc_, place.close());
  }

  void files() {
    sandbox::Place place(sandboxes_, "place-f", Log::none());
    tools::Toolbox box(Log::none(), metrics_, tools::GrantTable({}, true));
    const definitions::Shell shell{.enabled = true};
    box.offer(tools::make_core_tools(place, shell, {}));
    const auto call = [&](std::string tool, json::value arguments) -> Task<> {
      bool fatal = false;
      llm::ToolCall wish{.id = "1", .name = tool, .arguments = arguments};
      co_await box.call(std::move(wish), Deadline::in(10s), fatal);
    };
    const std::string text(4096, 'x');
    figures("Write of 4 KiB",
            timed(500, [&] { return call("Write", {{"file_path", "a.txt"}, {"content", text}}); }));
    figures("Read of 4 KiB", timed(500, [&] { return call("Read", {{"file_path", "a.txt"}}); }));
    figures("Bash (`pwd`), sandbox there",
            timed(200, [&] { return call("Bash", {{"command", "pwd"}}); }));
    test::run_task(ioc_, place.close());
  }

  void resident() {
    sandbox::Place place(sandboxes_, "place-r", Log::none());
    const auto process = test::run_task(
        ioc_, place.start_program(
                  {},
                  [](const sandbox::Sandbox&) {
                    return sandbox::Command{.argv = {"cat"}, .environment = {"PATH=/usr/bin"}};
                  },
                  Deadline::in(60s)));
    figures("a line to a program that stays, and back", timed(2000, [&]() -> Task<> {
              co_await process->write_stdin("a line of some length, as a request may have\n");
              co_await process->read_stdout(4096);
            }));
    test::run_task(ioc_, process->terminate(0s));
    test::run_task(ioc_, place.close());
  }

  /// This program's own server, as an agent starts it: in a sandbox of its own.
  void server() {
    const mcp::LaunchSpec spec{.server = "desk", .argv = {BOTBURROW_PROGRAM, "mcp", "desk"}};
    std::vector<double> started;
    for (int round = 0; round < 10; ++round) {
      sandbox::Place place(sandboxes_, "place-m" + std::to_string(round), Log::none());
      tools::SandboxLauncher launcher(place, Deadline::in(60s));
      std::unique_ptr<mcp::Client> client;
      started.push_back(timed(1, [&]() -> Task<> {
                          client =
                              co_await mcp::connect_stdio(launcher, spec, {}, {.version = "bench"},
                                                          Deadline::in(20s), Log::none());
                        }).front());
      if (round == 0) {
        figure("MCP server in a sandbox: resident, all of it", resident_of_children(::getpid()),
               "MiB");
        calls(*client);
      }
      test::run_task(ioc_, client->close());
      test::run_task(ioc_, place.close());
    }
    figures("MCP server: sandbox, start and handshake", started);
  }

  void calls(mcp::Client& client) {
    const auto tools = test::run_task(ioc_, client.list_tools(Deadline::in(20s)));
    const auto counter = std::ranges::find(tools, "count_words", &mcp::ToolDefinition::name);
    if (counter == tools.end()) return;
    figures("MCP call of a tool, and back", timed(1000, [&]() -> Task<> {
              mcp::Client::Call call{.tool = counter->name,
                                     .arguments = {{"text", "three words here"}},
                                     .input_schema = counter->input_schema,
                                     .output_schema = counter->output_schema};
              co_await client.call(std::move(call), Deadline::in(20s));
            }));
  }

  sandbox::TemporaryRoot root_;
  boost::asio::io_context ioc_;
  Metrics metrics_;
  sandbox::Sandboxes sandboxes_{{.workspace_root = root_.path()}, Log::none(), metrics_};
};

}  // namespace
}  // namespace botburrow::bench

int main() {
  botburrow::bench::Hands().run();
}
