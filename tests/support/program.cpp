#include "tests/support/program.hpp"

#include "base/json.hpp"
#include "tests/support/run_task.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <signal.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace botburrow::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kPiece = 64 * 1024;

std::string read_whole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

net::ProcessOptions process_options(const Program::Options& options) {
  net::ProcessOptions out{.argv = {options.path},
                          .environment = {},
                          .working_directory = options.folder,
                          .want_stdin = !options.input.empty(),
                          .die_with_parent = true};
  out.argv.insert(out.argv.end(), options.arguments.begin(), options.arguments.end());
  for (const auto& [name, value] : options.environment)
    out.environment.push_back(name + "=" + value);
  return out;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string path = "/tmp/bb-e2e-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr)
    throw std::runtime_error(path + ": " + std::strerror(errno));
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void ScratchFolder::write(std::string_view name, std::string_view text) const {
  const auto path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error(path.string() + ": cannot be written");
}

std::string ScratchFolder::read(std::string_view name) const {
  return read_whole(path_ / name);
}

Program::Program(boost::asio::io_context& io, Options options)
    : io_(io),
      options_(std::move(options)),
      process_(net::Process::spawn(io.get_executor(), process_options(options_))),
      tasks_(io.get_executor()) {
  tasks_.spawn("out", [this] { return read_out(); });
  tasks_.spawn("err", [this] { return read_err(); });
  tasks_.spawn("wait", [this] { return feed_and_wait(); });
}

Program::~Program() {
  process_->signal_group(SIGKILL);
  try {
    run_task(io_, [this] { return tasks_.stop(); });
  } catch (const std::exception&) {
    // The test has failed already; the process is dead in any case.
  }
}

Task<> Program::read_out() {
  for (;;) {
    const auto piece = co_await process_->read_stdout(kPiece);
    if (piece.empty()) break;
    out_ += piece;
  }
  --readers_;
}

Task<> Program::read_err() {
  for (;;) {
    const auto piece = co_await process_->read_stderr(kPiece);
    if (piece.empty()) break;
    err_ += piece;
  }
  --readers_;
}

Task<> Program::feed_and_wait() {
  if (!options_.input.empty()) {
    try {
      co_await process_->write_stdin(options_.input);
    } catch (const std::exception&) {
      // It does not want its input; how it ends will tell.
    }
    process_->close_stdin();
  }
  const auto status = co_await process_->wait();
  exit_code_ = status.signal != 0 ? 128 + status.signal : status.code;
}

// Not reaped before the destructor, so the id is still ours even when it has ended.
void Program::signal(int number) {
  ::kill(process_->pid(), number);
}

void Program::kill9() {
  signal(SIGKILL);
  wait(10s);
}

int Program::wait(std::chrono::nanoseconds limit) {
  if (!run_until(io_, [this] { return ended(); }, limit)) {
    throw std::runtime_error(fmt::format("{} still runs after {} s; it printed:\n{}\n{}",
                                         fmt::join(options_.arguments, " "),
                                         std::chrono::duration<double>(limit).count(), out_, err_));
  }
  // A child of its own may hold the pipes open for longer; that is no reason to wait for ever.
  run_until(io_, [this] { return readers_ == 0; }, 2s);
  return *exit_code_;
}

std::vector<boost::json::object> Program::log() const {
  std::vector<boost::json::object> lines;
  for (std::size_t at = 0; at < out_.size();) {
    const auto end = std::min(out_.find('\n', at), out_.size());
    auto value = try_parse_json(std::string_view(out_).substr(at, end - at));
    if (value && value->is_object()) lines.push_back(std::move(value->as_object()));
    at = end + 1;
  }
  return lines;
}

std::vector<boost::json::object> Program::events(std::string_view event) const {
  auto lines = log();
  std::erase_if(lines, [&](const auto& line) {
    const auto* name = line.if_contains("event");
    return !name || !name->is_string() || std::string_view(name->as_string()) != event;
  });
  return lines;
}

bool process_lives(int pid) {
  const auto stat = read_whole(fmt::format("/proc/{}/stat", pid));
  const auto end = stat.rfind(") ");
  return end != std::string::npos && stat.size() > end + 2 && stat[end + 2] != 'Z' &&
         stat[end + 2] != 'X';
}

}  // namespace botburrow::test
