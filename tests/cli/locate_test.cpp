#include "cli/locate.hpp"

#include "base/error.hpp"
#include "cli/data_folder.hpp"
#include "cli/exit_code.hpp"
#include "run_program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <functional>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;

RunningSystem some_system() {
  return {.hub_url = "http://127.0.0.1:8000",
          .coordinator_url = "http://127.0.0.1:9090",
          .runner_url = "http://127.0.0.1:9091",
          .redis_url = "unix:///tmp/redis.sock",
          .pid = ::getpid(),
          .owner_key = Secret("owner-key"),
          .service_key = Secret("service-key"),
          .admin_key = Secret("admin-key")};
}

Context with(std::map<std::string, std::string, std::less<>> variables) {
  Context context;
  context.environment.variables = std::move(variables);
  return context;
}

TEST(Locate, WhatUpWritesIsWhatCommandsFind) {
  const ScratchFolder folder;
  EXPECT_FALSE(find_running(folder.path()));
  write_running(folder.path(), some_system());
  const auto found = find_running(folder.path());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->hub_url, "http://127.0.0.1:8000");
  EXPECT_EQ(found->redis_url, "unix:///tmp/redis.sock");
  EXPECT_EQ(found->pid, ::getpid());
  EXPECT_EQ(found->owner_key.reveal(), "owner-key");
  struct stat info{};
  ASSERT_EQ(::stat((folder.path() + "/keys.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  remove_running(folder.path());
  EXPECT_FALSE(find_running(folder.path()));
}

TEST(Locate, ABrokenFileIsNamed) {
  const ScratchFolder folder;
  folder.write("run.json", "{nonsense");
  try {
    (void)find_running(folder.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::bad_input);
    EXPECT_THAT(error.message(), HasSubstr(folder.path() + "/run.json"));
  }
}

TEST(Locate, TheOwnerIsWhoActsUnlessAnAgentIsNamed) {
  const ScratchFolder folder;
  write_running(folder.path(), some_system());
  LocateFlags flags;
  flags.data = folder.path();
  const HubLocation owner = locate_hub(with({}), flags, "");
  EXPECT_EQ(owner.key.reveal(), "owner-key");
  EXPECT_EQ(owner.acting, "");
  EXPECT_EQ(locate_hub(with({}), flags, "owner").key.reveal(), "owner-key");
  const HubLocation agent = locate_hub(with({}), flags, "scribe");
  EXPECT_EQ(agent.key.reveal(), "service-key");
  EXPECT_EQ(agent.acting, "scribe");
}

TEST(Locate, TheEnvironmentWinsOverTheDefaultFolderAndNeverGetsItsKeys) {
  const ScratchFolder state;
  state.write("botburrow/keep", "");
  write_running(state.path() + "/botburrow", some_system());
  const LocateFlags flags;
  EXPECT_EQ(locate_hub(with({{"XDG_STATE_HOME", state.path()}}), flags, "").url,
            "http://127.0.0.1:8000");
  const HubLocation other = locate_hub(
      with({{"XDG_STATE_HOME", state.path()}, {"HUB_URL", "http://elsewhere:1"}}), flags, "");
  EXPECT_EQ(other.url, "http://elsewhere:1");
  EXPECT_TRUE(other.key.empty());
  const HubLocation keyed = locate_hub(with({{"XDG_STATE_HOME", state.path()},
                                             {"HUB_URL", "http://elsewhere:1"},
                                             {"HUB_API_KEY", "mine"}}),
                                       flags, "a");
  EXPECT_EQ(keyed.key.reveal(), "mine");
  EXPECT_EQ(keyed.acting, "a");
}

TEST(Locate, AFlagWinsOverEverything) {
  const ScratchFolder folder;
  write_running(folder.path(), some_system());
  LocateFlags flags;
  flags.data = folder.path();
  EXPECT_EQ(locate_hub(with({{"HUB_URL", "http://elsewhere:1"}}), flags, "").url,
            "http://127.0.0.1:8000");
  flags.settings->push_back({"HUB_URL", "--hub-url", "http://flag:2"});
  const HubLocation flagged = locate_hub(with({}), flags, "");
  EXPECT_EQ(flagged.url, "http://flag:2");
  EXPECT_TRUE(flagged.key.empty());
}

TEST(Locate, AProcessThatIsGoneIsSaid) {
  const ScratchFolder state;
  const auto folder = state.path() + "/botburrow";
  state.write("botburrow/keep", "");
  write_running(folder, some_system());
  const std::map<std::string, std::string, std::less<>> here = {{"XDG_STATE_HOME", state.path()}};
  {
    const DataFolderLock held(folder);
    EXPECT_EQ(locate_hub(with(here), {}, "").url, "http://127.0.0.1:8000");
  }
  // Its id is somebody else's by now (ours), but nobody holds the folder.
  const auto error_of = [](const std::function<void()>& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), errc::http_unavailable);
      return error.message();
    }
    return std::string("nothing was thrown");
  };
  LocateFlags named;
  named.data = folder;
  const auto words =
      HasSubstr("is gone and did not end cleanly; start it with: botburrow up --data " + folder);
  EXPECT_THAT(error_of([&] { locate_hub(with(here), named, ""); }), words);
  EXPECT_THAT(error_of([&] { locate_hub(with(here), {}, ""); }), words);
  EXPECT_THAT(error_of([&] { locate_system(with(here), named); }), words);
  EXPECT_THAT(error_of([&] { locate_system(with(here), {}); }), words);
  // Whoever says where to go is not held up by it.
  auto elsewhere = here;
  elsewhere["REDIS_URL"] = "redis://elsewhere:1";
  EXPECT_EQ(locate_system(with(elsewhere), {}).redis_url, "redis://elsewhere:1");
  LocateFlags typed;
  typed.settings->push_back({"REDIS_URL", "--redis-url", "redis://typed:2"});
  EXPECT_EQ(locate_system(with(here), typed).redis_url, "redis://typed:2");
}

TEST(Locate, WithoutALockTheProcessIdDecides) {
  const ScratchFolder folder;
  auto system = some_system();
  LocateFlags flags;
  flags.data = folder.path();
  write_running(folder.path(), system);
  EXPECT_EQ(locate_hub(with({}), flags, "").url, "http://127.0.0.1:8000");
  system.pid = 0x7ffffff0;  // above the kernel's largest
  write_running(folder.path(), system);
  EXPECT_THROW(locate_hub(with({}), flags, ""), Error);
}

TEST(Locate, WhatIsTypedWinsOverARunningSystem) {
  const ScratchFolder folder;
  write_running(folder.path(), some_system());
  LocateFlags flags;
  flags.data = folder.path();
  flags.settings->push_back({"REDIS_URL", "--redis-url", "redis://typed:2"});
  EXPECT_EQ(locate_system(with({}), flags).redis_url, "redis://typed:2");
}

TEST(Locate, WhereNothingRunsTheCommandSaysWhatToDo) {
  const ScratchFolder folder;
  const Ran no_hub = run_program(
      {.arguments = {"hub", "agents"}, .environment = {{"XDG_STATE_HOME", folder.path()}}});
  EXPECT_EQ(no_hub.exit_code, 64);
  EXPECT_THAT(no_hub.err, HasSubstr("no Hub is known"));
  const Ran no_up = run_program({.arguments = {"hub", "agents", "--data", folder.path()}});
  EXPECT_EQ(no_up.exit_code, 69);
  EXPECT_THAT(no_up.err, HasSubstr("botburrow up --data"));
  const Ran refused =
      run_program({.arguments = {"hub", "agents", "--hub-url", "http://127.0.0.1:1"}});
  EXPECT_EQ(refused.exit_code, 69);
  EXPECT_THAT(refused.err, HasSubstr("http://127.0.0.1:1"));
  const Ran bad = run_program({.arguments = {"hub", "agents", "--hub-url", "hub:1"}});
  EXPECT_EQ(bad.exit_code, 78);
  EXPECT_THAT(bad.err, HasSubstr("(from --hub-url): expected http:// or https:// URL"));
}

}  // namespace
}  // namespace botburrow::cli
