#include "sandbox/probe.hpp"

#include "base/cleanup.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "sandbox/landlock_launcher.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace botburrow::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr auto kProbeTime = 20s;

/// A port of this machine that answers: what must not be reachable from inside.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (socket_.get() < 0 || ::bind(socket_.get(), plain, size) != 0 ||
        ::listen(socket_.get(), 8) != 0 || ::getsockname(socket_.get(), plain, &size) != 0)
      throw Error(errc::io, fmt::format("a port to probe with: {}", ::strerror(errno)));
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }

 private:
  net::UniqueFd socket_;
  int port_ = 0;
};

/// A workspace to be kept in, and that of a neighbour with a file nobody inside may see.
struct Stage {
  HeldFolder workspace;
  HeldFolder neighbour;
  std::string secret;
};

Stage make_stage(const std::string& root, Owner owner) {
  Stage stage{.workspace = HeldFolder::make(root, system_random().uuid4(), owner),
              .neighbour = HeldFolder::make(root, system_random().uuid4(), owner),
              .secret = ""};
  stage.secret = stage.neighbour.path() + "/secret.txt";
  const net::UniqueFd file(
      ::openat(stage.neighbour.fd(), "secret.txt", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0 || (owner.is_another() && ::fchown(file.get(), owner.uid, owner.gid) != 0))
    throw Error(errc::io, fmt::format("{}: {}", stage.secret, ::strerror(errno)));
  return stage;
}

Task<std::string> try_to_get_out(Sandbox& sandbox, std::string secret) {
  const Listener listener;
  // What process 1 is, seen from a child that has not become anything else yet.
  Command attempts{.argv = {"/proc/self/exe", "attempt", std::move(secret),
                            std::to_string(::getpid()), std::to_string(listener.port())}};
  const auto result =
      co_await run_command(sandbox, std::move(attempts), "", Deadline::in(kProbeTime));
  co_return fault_of_attempts(result);
}

// Empty: it holds.
Task<std::string> fault_of(Launcher& launcher, const ProbeRequest& request, Stage& stage) {
  const auto deadline = Deadline::in(kProbeTime);
  std::unique_ptr<Cell> cell;
  try {
    cell = co_await launcher.start({.workspace = &stage.workspace, .limits = request.limits},
                                   deadline);
  } catch (const Error& error) {
    co_return error.message();
  }
  std::string fault;
  try {
    fault = co_await with_cleanup(try_to_get_out(*cell, stage.secret),
                                  [&cell] { return cell->stop(); });
  } catch (const Error& error) {
    fault = error.message();
  }
  co_return fault;
}

Task<Probed> probe_bwrap(const ProbeRequest& request, Stage& stage) {
  const auto executor = co_await boost::asio::this_coro::executor;
  std::vector<Reach> ways{Reach::direct};
  if (request.owner.is_another()) ways = {Reach::staged, Reach::direct};
  Probed probed;
  for (const auto reach : ways) {
    std::string fault;
    try {
      auto launcher = std::make_unique<BwrapLauncher>(executor, request.owner, reach);
      fault = co_await fault_of(*launcher, request, stage);
      if (fault.empty()) {
        probed.launcher = std::move(launcher);
        probed.report = {.tier = Tier::bwrap,
                         .reason = "bubblewrap started, and nothing got out of it",
                         .shell = true,
                         .programs = true};
        co_return probed;
      }
    } catch (const Error& error) {
      fault = error.message();
    }
    // The first way is the one that should have worked.
    if (probed.report.reason.empty()) probed.report.reason = "bwrap: " + fault;
  }
  co_return probed;
}

Task<Probed> probe_landlock(const ProbeRequest& request, Stage& stage) {
  Probed probed;
  std::string fault;
  try {
    auto launcher = std::make_unique<LandlockLauncher>(co_await boost::asio::this_coro::executor,
                                                       request.owner);
    fault = co_await fault_of(*launcher, request, stage);
    if (fault.empty()) {
      probed.launcher = std::move(launcher);
      probed.report = {.tier = Tier::landlock,
                       .reason = "Landlock holds, and nothing got out of it; no shell",
                       .programs = true};
      co_return probed;
    }
  } catch (const Error& error) {
    fault = error.message();
  }
  probed.report.reason = "landlock: " + fault;
  co_return probed;
}

Task<Probed> probe_on(const ProbeRequest& request, Stage& stage) {
  if (request.backend == Backend::landlock) co_return co_await probe_landlock(request, stage);
  auto best = co_await probe_bwrap(request, stage);
  if (best.launcher || request.backend == Backend::bwrap) co_return best;
  auto second = co_await probe_landlock(request, stage);
  second.report.reason = best.report.reason + "; " + second.report.reason;
  co_return second;
}

}  // namespace

std::string fault_of_attempts(const CommandResult& result) {
  const auto& out = result.process.out;
  std::string faults;
  bool done = false;
  for (std::size_t from = 0; from < out.size();) {
    const auto end = std::min(out.find('\n', from), out.size());
    const auto line = out.substr(from, end - from);
    from = end + 1;
    if (line == "done")
      done = true;
    else
      faults += (faults.empty() ? "" : ", ") + line;
  }
  if (!faults.empty()) return valid_utf8(utf8_prefix(faults, 1000));
  if (done) return "";
  return fmt::format("the attempts to get out ended early (code {}, signal {})",
                     result.process.status.code, result.process.status.signal);
}

Task<Probed> probe(ProbeRequest request, BlockingPool& pool) {
  std::shared_ptr<Stage> stage;
  std::string fault;
  try {
    stage = co_await pool.run([root = request.workspace_root, owner = request.owner] {
      return std::make_shared<Stage>(make_stage(root, owner));
    });
  } catch (const Error& error) {
    fault = error.message();
  }
  if (!stage) co_return Probed{.report = {.reason = fault}};
  const auto clean_up = [&pool, stage]() -> Task<> {
    co_await pool.run([stage] {
      stage->workspace.remove();
      stage->neighbour.remove();
    });
  };
  co_return co_await with_cleanup(probe_on(request, *stage), clean_up);
}

}  // namespace botburrow::sandbox
