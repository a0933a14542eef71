#include "world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <signal.h>
#include <sys/stat.h>

namespace botburrow::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Up : public World {
 protected:
  std::string redis_url() { return text_of(ready_, "redis"); }
  int redis_pid() {
    for (const auto& line : redis_cli(redis_url(), {"INFO", "server"})) {
      if (line.starts_with("process_id:")) return std::stoi(line.substr(11));
    }
    throw std::runtime_error("INFO names no process_id");
  }
  void await_answers(const std::string& id, const std::string& agent, std::size_t count) {
    eventually(fmt::format("{} answers of {} in {}", count, agent, id),
               [&] { return answers_of(thread(id), agent).size() >= count; });
  }
};

TEST_F(Up, MentionFromATerminalIsAnswered) {
  define_agent("anna");
  define_agent("bert");
  up();
  const auto written = ask({"hub", "post", "--data", data(), "--as", "owner", "--community",
                            "general", "Good morning @anna, how do I begin?", "--json"});
  EXPECT_EQ(text_of(written.at("author"), "name"), "owner");
  EXPECT_EQ(text_of(written, "community"), "m/general");
  const auto id = text_of(written, "id");
  await_answers(id, "anna", 1);
  const auto answer = answers_of(thread(id), "anna").front();
  EXPECT_EQ(text_of(answer, "post_id"), id);
  EXPECT_THAT(text_of(answer, "content"), Not(IsEmpty()));
  EXPECT_THAT(answers_of(thread(id), "bert"), IsEmpty()) << "nobody asked bert";

  // A comment of the owner below the answer is a reply, and is answered too.
  const auto reply = ask({"hub", "reply", "--data", data(), id, "--parent", text_of(answer, "id"),
                          "Thank you! And then?", "--json"});
  EXPECT_EQ(text_of(reply, "parent_id"), text_of(answer, "id"));
  await_answers(id, "anna", 2);

  // The owner's inbox holds the answers; the agent's is empty again.
  const auto inbox = ask({"hub", "inbox", "--data", data(), "--as", "owner", "--json"});
  EXPECT_GE(inbox.at("notifications").as_array().size(), 1u);
  eventually("anna's inbox is empty", [&] {
    return ask({"hub", "inbox", "--data", data(), "--as", "anna", "--json"}).at("unread_count") ==
           0;
  });

  const auto agents = ask({"hub", "agents", "--data", data(), "--json"});
  std::vector<std::string> names;
  for (const auto& agent : agents.at("agents").as_array())
    names.push_back(text_of(agent, "name"));
  EXPECT_THAT(names, ::testing::IsSupersetOf({"anna", "bert"}));

  const auto status = ask({"status", "--data", data(), "--json"});
  EXPECT_TRUE(status.at("hub").at("answers").as_bool());
  EXPECT_EQ(status.at("runners").as_array().size(), 1u);
  EXPECT_FALSE(status.at("leader").is_null());
  EXPECT_FALSE(status.at("results").as_array().empty());
}

TEST_F(Up, ReplayShowsWhatAnActivationDid) {
  define_agent("anna");
  up();
  const auto id = post("hello @anna, what is a lease?");
  await_answers(id, "anna", 1);
  const auto answer = text_of(answers_of(thread(id), "anna").front(), "content");
  std::string activation;
  eventually("the activation has ended", [&] {
    const auto ended = ask({"activations", "--data", data(), "--json"}).at("ended").as_array();
    if (ended.empty()) return false;
    activation = text_of(ended.front(), "activation_id");
    return true;
  });
  const auto replayed = ask({"replay", activation, "--data", data(), "--json"});
  std::vector<std::string> kinds;
  for (const auto& line : replayed.at("lines").as_array())
    kinds.push_back(text_of(line, "kind"));
  EXPECT_THAT(kinds, ElementsAre("started", "notification", "model_call", "model_answer", "effect",
                                 "effect_done", "notification", "ended"));
  const auto shown = run({"replay", activation, "--full", "--data", data()});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("hello @anna, what is a lease?"));
  EXPECT_THAT(shown.out, HasSubstr(answer.substr(0, answer.find('\n'))));
  EXPECT_THAT(shown.out, HasSubstr("ended: success"));
  const auto unknown = run({"replay", "no-such-id", "--data", data()});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no journal of \"no-such-id\""));
}

TEST_F(Up, CommandsSpeakToPeopleToo) {
  define_agent("anna");
  up();
  const auto id = post("hello @anna");
  await_answers(id, "anna", 1);
  for (const auto& words :
       std::vector<Words>{{"hub", "thread", id}, {"hub", "agents"}, {"hub", "inbox"}, {"status"}}) {
    auto all = words;
    all.insert(all.end(), {"--data", data()});
    const auto ran = run(all);
    EXPECT_EQ(ran.code, 0) << words.back() << ran.err;
    EXPECT_THAT(ran.out, Not(IsEmpty()));
    EXPECT_THAT(ran.err, IsEmpty());
  }
}

TEST_F(Up, ReadyFileNamesWhatRuns) {
  define_agent("anna");
  auto& program = up();
  std::vector<std::string> fields;
  for (const auto& entry : ready_)
    fields.emplace_back(entry.key());
  EXPECT_THAT(fields, ElementsAre("hub", "coordinator", "runner", "redis", "pid"));
  EXPECT_EQ(ready_.at("pid").as_int64(), program.pid());
  for (const auto* service : {"hub", "coordinator", "runner"}) {
    const auto url = text_of(ready_, service);
    EXPECT_THAT(url, HasSubstr("127.0.0.1:")) << "loopback only";
    EXPECT_EQ(get(url + "/health").status, 200) << service;
    EXPECT_EQ(get(url + "/ready").status, 200) << service;
    const auto metrics = get(url + "/metrics");
    EXPECT_EQ(metrics.status, 200) << service;
    EXPECT_THAT(metrics.body, HasSubstr("\nbotburrow_build_info{")) << service;
    EXPECT_THAT(metrics.body, HasSubstr("\nprocess_resident_memory_bytes ")) << service;
  }
  EXPECT_EQ(get(text_of(ready_, "hub") + "/api/v1/health").status, 200);
  EXPECT_EQ(redis_line(redis_url(), {"PING"}), "PONG");
  EXPECT_EQ(redis_cli(redis_url(), {"CONFIG", "GET", "appendonly"}).back(), "yes");
  EXPECT_EQ(redis_cli(redis_url(), {"CONFIG", "GET", "appendfsync"}).back(), "always");
  const auto page =
      http({.url = text_of(ready_, "hub") + "/", .headers = {{"Accept", "text/html"}}});
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, Not(HasSubstr("https://"))) << "no assets of strangers";
  // Keys are for the owner's eyes.
  struct stat info{};
  ASSERT_EQ(::stat((data() + "/keys.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Up, AgentsWithoutAnExecutorAreListedAndWait) {
  define_agent("anna");
  define_agent("coder", {.type = "claude-code"});
  up();
  const auto id = post("@anna and @coder, who is there?");
  await_answers(id, "anna", 1);
  // It waits in the queue; nothing fails and nothing is lost.
  eventually("coder's work waits", [&] {
    const auto queued = redis_cli(redis_url(), {"LRANGE", "work:queue:high", "0", "-1"});
    return queued.size() == 1 && queued.front().find("\"coder\"") != std::string::npos;
  });
  EXPECT_EQ(redis_line(redis_url(), {"HLEN", "work:failures"}), "0");
}

TEST_F(Up, SecondOneOnTheSameFolderIsRefused) {
  define_agent("anna");
  auto& program = up();
  const auto second = run({"up", "--definitions", definitions(), "--data", data(), "--hub-port",
                           "0", "--coordinator-port", "0", "--runner-port", "0"});
  EXPECT_EQ(second.code, 1);
  EXPECT_EQ(second.err_lines().size(), 1u) << second.err;
  EXPECT_THAT(second.err, HasSubstr(fmt::format("in use by process {}", program.pid())));
  EXPECT_THAT(second.err, HasSubstr("--data"));
  // The first one has not noticed.
  await_answers(post("@anna still there?"), "anna", 1);
}

TEST_F(Up, AHubOfItsOwnOnTheSameFolderIsRefused) {
  define_agent("anna");
  auto& program = up();
  const auto beside = run({"hub", "--data", data(), "--hub-port", "0"});
  EXPECT_EQ(beside.code, 1);
  ASSERT_EQ(beside.err_lines().size(), 1u) << beside.err;
  EXPECT_THAT(beside.err, HasSubstr(fmt::format("hub database {}/hub.db is in use by process {}; "
                                                "stop it, or choose another place",
                                                data(), program.pid())));
  EXPECT_EQ(get(text_of(ready_, "hub") + "/ready").status, 200) << "the first goes on";
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);

  auto& hub = start({"hub", "--data", data(), "--hub-port", "0"});
  await_event(hub, "hub_database_open");
  const auto late = run({"up", "--definitions", definitions(), "--data", data(), "--hub-port", "0",
                         "--coordinator-port", "0", "--runner-port", "0"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err_lines().back(), HasSubstr(fmt::format("process {}", hub.pid())));
  hub.kill9();
  up();
}

TEST_F(Up, TakenPortIsNamedWithItsFlag) {
  define_agent("anna");
  const TakenPort taken(io_);
  for (const std::string flag : {"--hub-port", "--coordinator-port", "--runner-port"}) {
    std::map<std::string, std::string> ports = {
        {"--hub-port", "0"}, {"--coordinator-port", "0"}, {"--runner-port", "0"}};
    ports[flag] = std::to_string(taken.number());
    Words words = {"up", "--definitions", definitions(), "--data", data()};
    for (const auto& [name, port] : ports)
      words.insert(words.end(), {name, port});
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 69) << flag;
    EXPECT_EQ(ran.err_lines().size(), 1u) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(flag));
    EXPECT_THAT(ran.err, HasSubstr(std::to_string(taken.number())));
    EXPECT_FALSE(std::filesystem::exists(data() + "/run.json"));
  }
}

TEST_F(Up, SigtermLeavesNothingBehind) {
  define_agent("anna");
  auto& program = up();
  const int redis = redis_pid();
  ASSERT_TRUE(test::process_lives(redis));
  await_answers(post("@anna hello"), "anna", 1);
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(20s), 0);
  EXPECT_FALSE(test::process_lives(redis));
  EXPECT_FALSE(std::filesystem::exists(data() + "/run.json"));
  EXPECT_THAT(program.err(), IsEmpty());
  const auto ran = run({"hub", "agents", "--data", data(), "--json"});
  EXPECT_EQ(ran.code, 69) << "nothing runs there any more";
  EXPECT_THAT(ran.err, HasSubstr("botburrow up"));
}

TEST_F(Up, SigtermFinishesRunningWork) {
  define_agent("anna");
  use_model().script([](const auto&) {
    auto answer = test::LlmSimulator::Answer::say("It took a while.");
    answer.delay = 1500ms;
    return answer;
  });
  auto& program = up();
  const auto id = post("@anna think about it");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(20s), 0);
  EXPECT_FALSE(program.events("runner_draining").empty());
  up();
  EXPECT_EQ(answers_of(thread(id), "anna").size(), 1u) << "written before the end";
  EXPECT_EQ(model().requests(), 1u);
}

TEST_F(Up, SecondSigtermHandsBackAtOnce) {
  define_agent("anna");
  use_model().script([](const auto&) {
    return test::LlmSimulator::Answer::broken(test::LlmSimulator::Fault::silence);
  });
  auto& program = up();
  const auto id = post("@anna think about it");
  eventually("the model is asked", [&] { return model().requests() == 1; });
  program.signal(SIGTERM);
  await_event(program, "runner_draining");
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(15s), 0);
  model().script([](const auto&) { return test::LlmSimulator::Answer::say("Now."); });
  up();
  await_answers(id, "anna", 1);
  EXPECT_EQ(redis_line(redis_url(), {"HLEN", "work:failures"}), "0")
      << "handing back is no failure";
}

TEST_F(Up, AfterKill9CommandsSayThatItIsGone) {
  define_agent("anna");
  up().kill9();
  for (const Words& words : {Words{"hub", "agents"}, Words{"status"}, Words{"why", "anna"}}) {
    auto command = words;
    command.insert(command.end(), {"--data", data()});
    const auto ran = run(command);
    EXPECT_EQ(ran.code, 69);
    EXPECT_THAT(
        ran.err_lines(),
        ElementsAre(HasSubstr("is gone and did not end cleanly; start it with: botburrow up "
                              "--data " +
                              data())));
  }
  up();
  EXPECT_EQ(run({"hub", "agents", "--data", data()}).code, 0);
}

TEST_F(Up, WithJsonOnlyTheAnswerIsOnStandardOutput) {
  define_agent("anna");
  auto& program = up({"--json"});
  const auto answer = parse_json(program.out(), "stdout").as_object();
  EXPECT_EQ(answer.at("hub"), ready_.at("hub"));
  EXPECT_THAT(program.err(), HasSubstr("\"event\":\"became_leader\""));
  EXPECT_EQ(std::ranges::count(program.out(), '\n'), 1);
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(std::ranges::count(program.out(), '\n'), 1);
}

TEST_F(Up, AfterKill9EverythingIsFoundAgain) {
  define_agent("anna");
  auto& first = up();
  const int redis = redis_pid();
  const auto id = post("@anna hello");
  await_answers(id, "anna", 1);
  const auto keys = folder_.read("data/keys.json");
  const auto agents = ask({"hub", "agents", "--data", data(), "--json"});
  first.kill9();
  eventually("redis dies with it", [&] { return !test::process_lives(redis); }, 5s);

  up();
  EXPECT_EQ(folder_.read("data/keys.json"), keys);
  EXPECT_EQ(answers_of(thread(id), "anna").size(), 1u);
  EXPECT_EQ(ask({"hub", "agents", "--data", data(), "--json"}).at("agents").as_array().size(),
            agents.at("agents").as_array().size());
  EXPECT_NE(redis_line(redis_url(), {"LLEN", "activation:results"}), "0");
  await_answers(post("@anna and again"), "anna", 1);
  EXPECT_EQ(answers_of(thread(id), "anna").size(), 1u);
}

TEST_F(Up, DataFolderWithALongPathWorks) {
  define_agent("anna");
  // Longer than the address of a Unix socket may be.
  data_name_ = std::string(100, 'x') + "/" + std::string(60, 'y');
  auto& program = up();
  const auto socket = std::filesystem::path(redis_url().substr(std::string("unix://").size()));
  EXPECT_EQ(redis_line(redis_url(), {"PING"}), "PONG");
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(20s), 0);
  EXPECT_FALSE(std::filesystem::exists(socket.parent_path()));
}

TEST_F(Up, AgentDefinedLaterJoins) {
  define_agent("anna");
  up();
  define_agent("late");
  eventually("late is registered", [&] {
    return ask({"hub", "agents", "--data", data(), "--json"}).at("agents").as_array().size() >= 2 &&
           run({"hub", "agents", "--data", data()}).out.find("late") != std::string::npos;
  });
  await_answers(post("@late welcome"), "late", 1);
}

}  // namespace
}  // namespace botburrow::e2e
