#include "run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace botburrow::cli {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    close_one(read);
    close_one(write);
  }
  static void close_one(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int read = -1, write = -1;
};

[[noreturn]] void become_program(const Invocation& invocation, const Pipe& in, const Pipe& out,
                                 const Pipe& err) {
  ::dup2(in.read, 0);
  ::dup2(out.write, 1);
  ::dup2(err.write, 2);
  std::vector<std::string> words = {BOTBURROW_PROGRAM};
  words.insert(words.end(), invocation.arguments.begin(), invocation.arguments.end());
  std::vector<std::string> variables;
  for (const auto& [name, value] : invocation.environment)
    variables.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (std::string& word : words)
    argv.push_back(word.data());
  for (std::string& variable : variables)
    envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  if (::chdir(invocation.folder.c_str()) == 0) ::execve(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

/// Reads what there is; false at the end.
bool drain(int fd, std::string& into) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

Ran run_program(const Invocation& invocation) {
  Pipe in, out, err;
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork");
  if (child == 0) become_program(invocation, in, out, err);
  Pipe::close_one(in.read);
  Pipe::close_one(out.write);
  Pipe::close_one(err.write);
  ::signal(SIGPIPE, SIG_IGN);
  (void)!::write(in.write, invocation.input.data(), invocation.input.size());
  Pipe::close_one(in.write);
  Ran ran;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  bool late = false;
  while (out.read >= 0 || err.read >= 0) {
    std::array<pollfd, 2> waits = {{{out.read, POLLIN, 0}, {err.read, POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), 1000);
    if (waits[0].revents != 0 && !drain(out.read, ran.out)) Pipe::close_one(out.read);
    if (waits[1].revents != 0 && !drain(err.read, ran.err)) Pipe::close_one(err.read);
    if (!late && std::chrono::steady_clock::now() > end) late = ::kill(child, SIGKILL) == 0;
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "botburrow-cli-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ScratchFolder::write(const std::string& name, const std::string& text) const {
  const auto path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace botburrow::cli
