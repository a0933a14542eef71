// Goose and aider, which neither apt nor npm has, in the built program: in their place stand
// scripts that refuse what the pinned versions would, and print what was recorded of those
// (tests/executors/fakes, tests/executors/recordings).
#include "services_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace botburrow::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ReplayedClis : public ServicesWorld {
 protected:
  void SetUp() override {
    start_hub();
    use_model();
    set("WORKSPACE_ROOT", folder_.file("workspaces"));
  }
  /// The fakes and their recordings in one folder of PATH, and an agent of that type.
  void install(const std::string& type, const std::string& mode = "answer") {
    const auto bin = folder_.file("cli");
    const auto source = fs::path(BOTBURROW_SOURCE_DIR) / "tests/executors";
    fs::create_directories(bin);
    ::chmod(folder_.path().c_str(), 0755);
    for (const auto* from : {"fakes", "recordings"})
      fs::copy(source / from, bin,
               fs::copy_options::overwrite_existing | fs::copy_options::recursive);
    folder_.write("cli/mode", mode + "\n");
    set("PATH", bin + ":/usr/local/bin:/usr/bin:/bin");
    set("SANDBOX_READ_ONLY", bin);
    define_coder(type);
  }
  void define_coder(const std::string& type) {
    define_agent("coder", {.type = type});
    if (!std::exchange(registered_, true)) register_agent("coder");
  }
  Ran once(Words more = {}) {
    post_id = post_as_owner("@coder hello");
    Words words{"runner", "--agent", "coder", "--once"};
    words.insert(words.end(), more.begin(), more.end());
    return run(std::move(words), {}, 120s);
  }
  std::vector<std::string> answers() {
    std::vector<std::string> texts;
    for (const auto& answer : answers_of(look_at(post_id), "coder"))
      texts.push_back(text_of(answer, "content"));
    return texts;
  }
  bool nothing_left() const {
    const auto root = folder_.file("workspaces");
    return !fs::exists(root) || fs::is_empty(root);
  }
  /// A failed try: nobody was answered, and what it said is in the result.
  void fails_with(const ::testing::Matcher<std::string>& words) {
    const auto ran = once();
    EXPECT_EQ(ran.code, 1) << ran.out << ran.err;
    EXPECT_THAT(ran.out, words);
    EXPECT_THAT(answers(), IsEmpty());
    EXPECT_TRUE(nothing_left());
  }
  std::string post_id;

 private:
  bool registered_ = false;
};

TEST_F(ReplayedClis, GoosePostsThroughTheHubServerAndItsLastWordsAreNotSaidTwice) {
  install("goose");
  const auto ran = once({"--json"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ElementsAre("hi there"));
  const auto result = ran.json();
  // What the recording says: 200 in and 40 and 10 of them by the cache, 57 out.
  EXPECT_EQ(result.at("tokens_input").to_number<int>(), 200) << ran.out;
  EXPECT_EQ(result.at("tokens_output").to_number<int>(), 57);
  EXPECT_DOUBLE_EQ(result.at("cost_usd").to_number<double>(), 0.0011);
  EXPECT_EQ(model().requests(), 1U);
  EXPECT_TRUE(nothing_left());
}

TEST_F(ReplayedClis, WhatGooseSaysIsPostedWhereItPostsNothing) {
  install("goose", "silent");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ElementsAre("All done."));
}

TEST_F(ReplayedClis, WhatAiderSaysIsTheAnswer) {
  install("aider");
  const auto ran = once({"--json"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ElementsAre(AllOf(StartsWith("I'll write the greeting into a file."),
                                           Not(HasSubstr("Tokens:")))));
  const auto result = ran.json();
  EXPECT_EQ(result.at("tokens_input").to_number<int>(), 4200) << ran.out;
  EXPECT_EQ(result.at("tokens_output").to_number<int>(), 312);
  EXPECT_DOUBLE_EQ(result.at("cost_usd").to_number<double>(), 0.02);
  EXPECT_EQ(model().requests(), 1U);
  EXPECT_TRUE(nothing_left());
}

TEST_F(ReplayedClis, OneThatIsMissingLeavesTheWorkToOthers) {
  for (const auto* type : {"goose", "aider"}) {
    define_coder(type);
    const auto ran = once();
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.out + ran.err, HasSubstr(fmt::format("Executor '{}' not available", type)));
  }
  start({"coordinator"});
  auto& without = start({"runner"}, {{"RUNNER_ID", "without"}});
  await_event(
      without, "executor_error",
      [](const json::object& line) {
        return text_of(json::value(line), "error").starts_with("Executor 'aider' not available");
      },
      90s);
  eventually("it waits again", [&] { return cli_line({"HLEN", "work:queued"}) == "1"; });
  EXPECT_THAT(answers(), IsEmpty());

  install("aider");
  start({"runner"}, {{"RUNNER_ID", "with"}});
  eventually("another runner answers", [&] { return answers().size() == 1; }, 90s);
}

TEST_F(ReplayedClis, OneThatHangsEndsWithTheActivationAndAllItStarted) {
  set("ACTIVATION_TIMEOUT", "10");
  for (const auto* type : {"goose", "aider"}) {
    const auto word = fmt::format("bb-hung-{}-{}", type, ::getpid());
    install(type, "hang " + word);
    fails_with(HasSubstr("Execution timed out after"));
    EXPECT_THAT(processes_named(word), IsEmpty());
  }
}

TEST_F(ReplayedClis, OneThatFailsIsAFailedTryWithItsWords) {
  for (const auto* type : {"goose", "aider"}) {
    install(type, "exit");
    fails_with(AllOf(HasSubstr("exit code 1"), HasSubstr(fmt::format("boom: this {}", type))));
  }
}

TEST_F(ReplayedClis, GarbageIsNoAnswer) {
  install("goose", "garbage");
  fails_with(HasSubstr("it ended without a result line"));
  install("aider", "garbage");
  fails_with(HasSubstr("it had no answer of its model"));
}

// The head and the tail of what it prints are kept, and a result stands at its end.
TEST_F(ReplayedClis, AHundredMegabytesHurtNobody) {
  install("goose", "flood");
  const auto ran = once();
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(answers(), ElementsAre("hi there"));
  install("aider", "flood");
  fails_with(HasSubstr("it had no answer of its model"));
}

// The fakes would be worth nothing if they took everything.
TEST_F(ReplayedClis, TheFakesRefuseWhatThePinnedVersionsRefuse) {
  install("goose");
  const auto bin = folder_.file("cli/");
  const auto goose = run_other(bin + "goose", {"run", "--no-session", "--headless"});
  EXPECT_EQ(goose.code, 2);
  EXPECT_THAT(goose.err, HasSubstr("unexpected argument '--headless' found"));
  EXPECT_EQ(run_other(bin + "goose", {"session", "start"}).code, 2);
  EXPECT_THAT(run_other(bin + "goose", {"run", "--output-format", "stream-json", "-i", "-"}).err,
              AnyOf(HasSubstr("The input is empty"), HasSubstr("No provider configured")));
  const auto aider = run_other(bin + "aider", {"--headless"});
  EXPECT_EQ(aider.code, 2);
  EXPECT_THAT(aider.err, HasSubstr("unrecognized arguments: --headless"));
  EXPECT_EQ(run_other(bin + "aider", {"--map-tokens", "2k"}).code, 2);
}

}  // namespace
}  // namespace botburrow::e2e
