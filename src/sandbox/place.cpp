#include "sandbox/place.hpp"

#include "base/error.hpp"
#include "sandbox/control.hpp"
#include "sandbox/init/bridge.hpp"
#include "sandbox/resident.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>

namespace botburrow::sandbox {
namespace {

using namespace std::chrono_literals;
using Stopped = BlockingPool::Stopped;

constexpr auto kStartTime = 20s;
constexpr int kRestartsMax = 3;
constexpr auto kMeasureTime = 10s;
/// What a dying program still writes is gone with the next look.
constexpr int kRemovalTries = 5;

bool gives(const TierReport& report, Need need) {
  switch (need) {
    case Need::files:
      return report.tier != Tier::none;
    case Need::shell:
      return report.shell;
    case Need::programs:
      return report.programs;
  }
  return false;
}

std::string_view text_of(Need need) {
  switch (need) {
    case Need::files:
      return "work on files";
    case Need::shell:
      return "run commands";
    case Need::programs:
      return "run programs";
  }
  return "";
}

using Folders = std::vector<std::shared_ptr<WorkspaceFiles>>;

/// Whether one of them is; what has no name any more may be of any.
Task<bool> too_large(Folders folders, std::uint64_t more, BlockingPool& pool) {
  const auto measured = co_await pool.run_stoppable([folders, more](const Stopped& stopped) {
    const Patience patience{.deadline = Deadline::in(kMeasureTime), .stopped = stopped};
    const auto over = [&](const auto& folder) { return folder->over_quota(more, patience); };
    return std::ranges::any_of(folders, over) && !stopped.load();
  });
  co_return measured;
}

}  // namespace

Place::Place(Sandboxes& sandboxes, std::string id, Log log, NetworkPolicy network)
    : sandboxes_(sandboxes),
      id_(std::move(id)),
      log_(std::move(log)),
      network_(std::move(network)) {}

Place::~Place() = default;

Task<std::optional<std::string>> Place::refusal(Need need) {
  const auto report = co_await sandboxes_.tier();
  if (gives(report, need)) co_return std::nullopt;
  co_return fmt::format("this runner cannot {}: its sandbox tier is {} ({})", text_of(need),
                        name_of(report.tier), report.reason);
}

void Place::refuse_when_closed() const {
  if (closed_) throw Error(errc::invalid_argument, "this activation has given its workspace back");
}

// One at a time; whoever comes meanwhile waits, and looks again whether it is still missing.
Task<> Place::make_once(std::function<bool()> missing, std::function<Task<>()> make) {
  while (missing()) {
    if (const auto other = making_) {
      co_await other->wait();
      continue;
    }
    const auto mine = std::make_shared<StopSource>(co_await boost::asio::this_coro::executor);
    making_ = mine;
    std::exception_ptr failure;
    try {
      co_await make();
    } catch (...) {
      failure = std::current_exception();
    }
    making_.reset();
    mine->stop();
    if (failure) std::rethrow_exception(failure);
  }
}

Task<> Place::make_workspace() {
  auto make = [root = sandboxes_.settings().workspace_root, id = id_, owner = sandboxes_.owner()] {
    return HeldFolder::make(root, id, owner);
  };
  workspace_ = std::make_shared<HeldFolder>(co_await pool().run(std::move(make)));
  files_ = std::make_shared<WorkspaceFiles>(workspace_->fd(), sandboxes_.owner(),
                                            sandboxes_.settings().quota_bytes);
  log_.info("sandbox_started", {{"workspace", workspace_->path()}});
}

Task<std::shared_ptr<WorkspaceFiles>> Place::files() {
  refuse_when_closed();
  co_await make_once([this] { return !files_; }, [this] { return make_workspace(); });
  co_return files_;
}

Task<std::shared_ptr<Sandbox>> Place::start(const HeldFolder* home, Extra extra) {
  const auto files = co_await this->files();
  Folders written{files};
  if (home) {
    written.push_back(std::make_shared<WorkspaceFiles>(home->fd(), sandboxes_.owner(),
                                                       sandboxes_.settings().quota_bytes));
  }
  auto bridge = make_socket_pair();
  CellPlan plan{.workspace = workspace_.get(),
                .home = home,
                .read_only = std::move(extra.read_only),
                .limits = extra.limits.value_or(sandboxes_.settings().limits),
                .over_quota = [written, &pool = pool()](
                                  std::uint64_t more) { return too_large(written, more, pool); },
                .bridge_fd = bridge.theirs.get()};
  plan.limits.file_bytes_max =
      std::min(plan.limits.file_bytes_max, sandboxes_.settings().quota_bytes);
  auto started = co_await sandboxes_.start_sandbox(std::move(plan), Deadline::in(kStartTime));
  started_.push_back(started);
  EgressProxy::Options options{
      .rules = EgressRules(extra.network, sandboxes_.settings().private_allow),
      .local = std::move(extra.local)};
  for (const auto& name : extra.models) {
    if (const auto route = sandboxes_.egress().models.find(name);
        route != sandboxes_.egress().models.end())
      options.models.insert(*route);
  }
  for (auto& route : extra.routes)
    options.models.insert(std::move(route));
  proxies_.push_back(std::make_unique<EgressProxy>(
      co_await boost::asio::this_coro::executor, std::move(bridge.ours), std::move(options),
      sandboxes_.egress().http, log_, sandboxes_.metrics()));
  proxies_.back()->start();
  co_return started;
}

std::vector<std::string> Place::proxy_environment() {
  const auto proxy = fmt::format("http://127.0.0.1:{}", init::kBridgePort);
  std::vector<std::string> variables;
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"})
    variables.push_back(fmt::format("{}={}", name, proxy));
  for (const char* name : {"NO_PROXY", "no_proxy"})
    variables.push_back(fmt::format("{}=127.0.0.1,localhost", name));
  return variables;
}

Task<> Place::replace_sandbox() {
  if (sandbox_ && ++restarts_ > kRestartsMax)
    throw Error(errc::limit, "the sandbox of this activation has ended too often");
  if (const auto ended = std::exchange(sandbox_, nullptr)) co_await ended->stop();
  sandbox_ = co_await start(nullptr, {.network = network_});
}

Task<std::shared_ptr<Sandbox>> Place::sandbox() {
  refuse_when_closed();
  co_await files();
  co_await make_once([this] { return !sandbox_ || !sandbox_->usable(); },
                     [this] { return replace_sandbox(); });
  co_return sandbox_;
}

Task<std::shared_ptr<Sandbox>> Place::extra_sandbox(Extra extra) {
  refuse_when_closed();
  auto make = [root = sandboxes_.settings().workspace_root,
               name = home_name(id_) + std::to_string(++homes_made_),
               owner = sandboxes_.owner()] { return HeldFolder::make(root, name, owner); };
  const auto home = std::make_shared<HeldFolder>(co_await pool().run(std::move(make)));
  homes_.push_back(home);
  const auto home_files = std::move(extra.home_files);
  auto started = co_await start(home.get(), std::move(extra));
  if (home_files) co_await fill_home(home, home_files(*started));
  co_return started;
}

Task<> Place::fill_home(std::shared_ptr<HeldFolder> home,
                        std::map<std::string, std::string> texts) {
  const auto fault = co_await pool().run([home, texts = std::move(texts),
                                          owner = sandboxes_.owner(),
                                          quota = sandboxes_.settings().quota_bytes] {
    WorkspaceFiles files(home->fd(), owner, quota);
    const std::atomic<bool> stopped{false};
    for (const auto& [path, text] : texts) {
      if (!files.write(path, text, {.deadline = Deadline::in(kMeasureTime), .stopped = stopped}))
        return path;
    }
    return std::string();
  });
  if (!fault.empty())
    throw Error(errc::io, fmt::format("{} cannot be written into the home of a sandbox", fault));
}

Task<std::string> Place::workspace_inside() {
  co_await files();
  const auto report = co_await sandboxes_.tier();
  co_return report.tier == Tier::bwrap ? std::string(kWorkspaceInside) : workspace_->path();
}

std::optional<LocatedProgram> Place::locate(const std::string& name) const {
  return locate_program(name, sandboxes_.settings().path, sandboxes_.settings().read_only);
}

Task<std::unique_ptr<net::Process>> Place::start_program(Extra extra, CommandOf command,
                                                         Deadline deadline) {
  if (auto why = co_await refusal(Need::programs)) throw Error(errc::io, *why);
  auto room = co_await extra_sandbox(std::move(extra));
  auto what = command(*room);
  what.want_stdin = true;
  auto process = co_await room->spawn(std::move(what), deadline);
  co_return make_resident(std::move(room), std::move(process));
}

void Place::changed() {
  if (files_) files_->changed_by_others();
}

Task<> Place::remove(std::shared_ptr<HeldFolder> folder) {
  for (int tried = 0; tried < kRemovalTries; ++tried) {
    if (co_await pool().run([folder] { return folder->remove(); })) co_return;
    co_await sleep_for(20ms);
  }
  log_.warning("workspace_cleanup_error",
               {{"workspace", folder->path()}, {"msg", "the next start tries again"}});
}

Task<> Place::close() {
  closed_ = true;
  sandbox_.reset();
  for (const auto& sandbox : std::exchange(started_, {}))
    co_await sandbox->stop();
  for (const auto& proxy : std::exchange(proxies_, {}))
    co_await proxy->stop();
  files_.reset();
  const bool made = workspace_ != nullptr;
  for (const auto& home : std::exchange(homes_, {}))
    co_await remove(home);
  if (const auto workspace = std::exchange(workspace_, nullptr)) co_await remove(workspace);
  if (made) log_.info("sandbox_stopped", {});
}

}  // namespace botburrow::sandbox
