// Files and commands of agents, in the built program.
#include "world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>
#include <unistd.h>

#include <filesystem>

namespace botburrow::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Hands : public World {
 protected:
  Hands() {
    define_agent("anna", {.capabilities = "  shell: {enabled: true, allowed_commands: [bash]}\n"});
    set("WORKSPACE_ROOT", workspaces());
  }
  std::string workspaces() const { return folder_.file("workspaces"); }
  std::vector<std::string> left_in_workspaces() const {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(workspaces(), none))
      names.push_back(entry.path().filename());
    return names;
  }
  std::string answer_to(const std::string& text) {
    const auto id = post("@anna " + text);
    eventually("anna answers", [&] { return !answers_of(thread(id), "anna").empty(); });
    return text_of(answers_of(thread(id), "anna").front(), "content");
  }
};

TEST_F(Hands, AgentsWorkInASandboxThatIsGoneAfterwards) {
  up({"--llm", "offline"});
  EXPECT_THAT(answer_to(R"(use tool Write {"file_path": "a.txt", "content": "one\ntwo\n"} )"
                        R"(use tool Bash {"command": "wc -l < a.txt; id -u; pwd"})"),
              HasSubstr("2\n1000\n/workspace"));
  EXPECT_THAT(answer_to(R"(use tool Glob {"pattern": "**"})"), HasSubstr("No files found"));
  eventually("no workspace is left", [&] { return left_in_workspaces().empty(); });
  eventually("status names the tier", [&] {
    const auto status = ask({"status", "--data", data(), "--json"});
    return text_of(status.at("runners").at(0), "sandbox") == "bwrap";
  });
  EXPECT_THAT(run({"status", "--data", data()}).out, HasSubstr("bwrap"));
}

TEST_F(Hands, NoSecretOfTheRunnerIsInsideOfIt) {
  set("OPENAI_API_KEY", secret("sk-test-0123456789abcdef"));
  set("GITHUB_PAT", secret("ghp_0123456789abcdef"));
  up({"--llm", "offline"});
  EXPECT_THAT(
      answer_to(
          R"(use tool Bash {"command": "env; cat /proc/1/environ /proc/*/environ | tr '\\0' '\\n'"})"),
      HasSubstr("LC_ALL=C.UTF-8"));
  // That the secrets stand nowhere in what was printed is checked at the end of every test.
  const auto all = to_json(ask({"hub", "inbox", "--data", data(), "--as", "anna", "--json"}));
  EXPECT_THAT(all, ::testing::Not(HasSubstr("sk-test-0123456789abcdef")));
}

TEST_F(Hands, AKilledRunnerLeavesNoProcessAndItsWorkspaceIsSwept) {
  const std::string word = fmt::format("bb-orphan-{}", ::getpid());
  auto& program = up({"--llm", "offline"});
  post(fmt::format(
      R"(@anna use tool Bash {{"command": "(setsid bash -c 'exec -a {0} sleep 600' &); )"
      R"((trap '' TERM HUP; exec -a {0} sleep 600) & exec -a {0} sleep 600"}})",
      word));
  eventually("the command runs", [&] { return processes_named(word).size() >= 3; });
  EXPECT_EQ(left_in_workspaces().size(), 1U);

  program.kill9();

  eventually("nothing of it lives", [&] { return processes_named(word).empty(); }, 5s);
  EXPECT_EQ(left_in_workspaces().size(), 1U);
  auto& again = up({"--llm", "offline"});
  await_event(again, "workspaces_swept");
}

}  // namespace
}  // namespace botburrow::e2e
