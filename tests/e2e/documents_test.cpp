// The commands of the documents are given to a system that runs: what a page tells an operator to
// type is a command of the program, with flags that exist, and does what it says.
//
// Where simply running a line is not it, documents/commands.txt says what is done instead, and why.
// What kubectl is told is held to the manifests by tests/deploy/guide.sh; what it runs inside a
// pod, runs here.
#include "document_commands.hpp"
#include "services_world.hpp"
#include "tests/base/source_tree.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace botburrow::e2e {
namespace {

using ::testing::IsEmpty;

constexpr const char* kRules = "tests/e2e/documents/commands.txt";

// What is asked of a pod is asked of the services of this test.
constexpr const char* kKubectl = R"(#!/bin/sh
verb=$1
case $verb in
  exec)
    while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
    shift
    exec "$@"
    ;;
  logs) cat "$BB_LOGS"/* ;;
esac
)";
// The server of this test, whatever name the document gives it.
constexpr const char* kRedisCli = R"(#!/bin/sh
case $1 in
  -h | -u) shift 2 ;;
esac
exec /usr/bin/redis-cli -h 127.0.0.1 -p "$BB_REDIS_PORT" "$@"
)";
// An answer that is no success ends the line.
constexpr const char* kCurl = R"(#!/bin/sh
exec /usr/bin/curl --fail-with-body "$@"
)";

std::vector<DocumentCommand> all_commands() {
  std::vector<DocumentCommand> all;
  for (const auto& page : pages_with_commands()) {
    for (auto& command : commands_of(test::name_of(page), test::text_of(page)))
      all.push_back(std::move(command));
  }
  return all;
}

const std::vector<CommandRule>& rules() {
  static const auto kAll = parse_command_rules(test::text_of(test::source_root() / kRules));
  return kAll;
}

const CommandRule* rule_for(const DocumentCommand& command) {
  const auto found =
      std::ranges::find_if(rules(), [&](const CommandRule& rule) { return rule.fits(command); });
  return found == rules().end() ? nullptr : &*found;
}

const std::string& sources() {
  static const auto kText = [] {
    std::string all;
    for (const auto& file : test::files_below("src"))
      all += test::text_of(file);
    return all;
  }();
  return kText;
}

bool is_name_of_command(const DocumentCommand& command) {
  return !command.fenced && command.text.starts_with("botburrow ") &&
         words_of(command.text).size() == 2;
}
bool runs_in_pod(const std::string& text) {
  return text.starts_with("kubectl exec ") && text.find(" -- ") != std::string::npos;
}
bool reads_logs(const std::string& text) {
  return text.starts_with("kubectl logs ") && text.find(" | ") != std::string::npos;
}
bool is_run(const std::string& text) {
  static const std::set<std::string> kWords = {"botburrow", "build/release/botburrow",
                                               "redis-cli", "redis-check-aof",
                                               "curl",      "hub",
                                               "export",    "printf",
                                               "HUB_URL=…"};
  return kWords.contains(first_word(text)) || runs_in_pod(text) || reads_logs(text);
}
/// Lines that only matter to those after them on the page.
bool is_prelude(const std::string& text) {
  return text.starts_with("export ") || text.starts_with("hub() ");
}

// What a reader looks for in a log: grep X, grep -E 'X|Y', grep -E "(X|Y)".
std::vector<std::string> patterns_of(const std::string& text) {
  static const std::regex form(R"re(grep (?:-E )?(?:'([^']*)'|"([^"]*)"|([^\s'"]+)))re");
  std::smatch match;
  if (!std::regex_search(text, match, form)) return {};
  auto all = match[1].str() + match[2].str() + match[3].str();
  std::erase_if(all, [](char c) { return c == '(' || c == ')'; });
  std::ranges::replace(all, '|', '\n');
  std::vector<std::string> patterns;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);)
    patterns.push_back(line);
  return patterns;
}

// redis-cli exits 0 whatever the server answers.
bool is_redis_error(const std::string& answer) {
  static const std::regex form(
      "^(ERR|WRONGTYPE|NO[A-Z]+|MOVED|READONLY|MISCONF|OOM|BUSY|LOADING)\\b");
  return std::regex_search(answer, form);
}

class Documents : public ServicesWorld {
 protected:
  void SetUp() override {
    install("kubectl", kKubectl);
    install("redis-cli", kRedisCli);
    install("curl", kCurl);
    use_model();
    for (const auto* agent : {"anna", "scout", "ada-guide", "scribe"})
      define_agent(agent);
    std::filesystem::create_directory_symlink(test::source_root() / "examples",
                                              folder_.path() / "examples");
    start_hub();
    service_key_ = key_for("scheduler-of-the-test", "service");
    owner_key_ = key_for("alice-of-the-test", "human");
    agent_key_ = key_for("scribe-of-the-test", "native");
    for (const auto* agent : {"anna", "scout"})
      register_agent(agent);
    // The first crash is the last, so that there is an item among the dead letters soon.
    coordinator_ =
        &start({"coordinator"}, {{"MAX_CRASH_ATTEMPTS", "1"}, {"ADMIN_KEY", admin_key()}});
    second_coordinator_ =
        &start({"coordinator", "--instance-id", "second"}, {{"MAX_CRASH_ATTEMPTS", "1"}});
    make_dead_letter();
    runner_ = &start({"runner", "--runner-id", "runner-1"}, {{"ADMIN_KEY", admin_key()}});
    const auto id = post_as_owner("@anna are you there?");
    eventually("it is answered", [&] { return !answers_of(look_at(id), "anna").empty(); });
    eventually("and settled", [&] { return at_rest(); });
    thread_ = id;
    activation_ = text_of(parse_json(cli_line({"LINDEX", "activation:results", "0"}), "result"),
                          "activation_id");
    data_name_ = "home/.local/state/botburrow";
    // The system of the pages that begin with `botburrow up`, in its default folder.
    up();
  }

  void install(const std::string& name, const std::string& text) {
    folder_.write("bin/" + name, text);
    std::filesystem::permissions(folder_.file("bin/" + name), std::filesystem::perms::owner_all);
  }

  void let_model_answer_after(std::chrono::seconds delay) {
    model().script([delay](const auto&) {
      auto answer = test::LlmSimulator::Answer::say("A simulated answer.");
      answer.delay = delay;
      return answer;
    });
  }

  // By a runner that dies of it.
  void make_dead_letter() {
    let_model_answer_after(60s);
    auto& victim = start({"runner"});
    post_as_owner("@scout do you stand this?");
    eventually("the model is asked", [&] { return model().requests() == 1; });
    victim.kill9();
    eventually("the item is a dead letter", [&] { return cli_line({"LLEN", "work:dead"}) == "1"; });
    letter_ = cli_line({"LINDEX", "work:dead", "0"});
    let_model_answer_after(0s);
  }

  /// As its page tells, with names and addresses of this test.
  std::string filled(const DocumentCommand& command) {
    // First: what is filled in lies below /tmp itself.
    auto text = replace_all(command.text, "/tmp/", folder_.file("tmp/"));
    const auto port_of = [](const std::string& url) { return url.substr(url.rfind(':') + 1); };
    const std::map<std::string, std::string> ports = {{"9090", port_of(url_of(*coordinator_))},
                                                      {"9091", port_of(url_of(*runner_))},
                                                      {"8000", port_of(hub_url_)},
                                                      {"6379", std::to_string(redis_.port())}};
    text = replace_all(text, "http://c2:9090", url_of(*second_coordinator_));
    for (const auto* host : {"127.0.0.1", "localhost", "c1", "r1"}) {
      for (const auto& [from, to] : ports)
        text = replace_all(text, fmt::format("{}:{}", host, from), "127.0.0.1:" + to);
    }
    text = replace_all(text, "botburrow_service_…", service_key_);
    text = replace_all(text, "botburrow_human_…", owner_key_);
    text = replace_all(text, "$PWD/examples", definitions());
    text = replace_all(text, "HUB_URL=… HUB_API_KEY=…", "HUB_API_KEY=" + agent_key_);
    text = replace_all(text, "build/release/botburrow", "botburrow");
    text = replace_all(text, "sudo botburrow", "botburrow");
    text = replace_all(text, " -sv ", " -sS ");
    text = replace_all(text, "; echo; }", "; }");  // which ends as curl does
    text = replace_all(text, "NEW_PASSWORD", "of-the-test");
    text = replace_all(text, "OLD_PASSWORD", "of-the-test");
    for (const auto* name : {"AGENT", "NAME"})
      text = replace_word(text, name, "anna");
    text = replace_word(text, "RUNNER_POD", "runner-hybrid-0");
    text = replace_word(text, "URL", hub_url_ + "/health");
    text = replace_word(text, "DIR", folder_for(text));
    text = replace_word(text, "NEW_FOLDER", folder_.file(fmt::format("new-{}", ++made_)));
    text = with_files(std::move(text));
    return with_ids(std::move(text));
  }
  std::string folder_for(const std::string& text) {
    if (text.find("validate") != std::string::npos) return definitions();
    if (text.find("restore") != std::string::npos)
      return folder_.file(fmt::format("restored-{}", ++made_));
    return data();
  }
  std::string with_files(std::string text) {
    const auto database = folder_.file("data/hub.db");
    const bool restores = text.find("botburrow restore") != std::string::npos;
    if (restores && !std::filesystem::exists(folder_.file("backup")))
      ask({"backup", folder_.file("backup"), "--hub-database", database, "--json"});
    const auto fresh = folder_.file(fmt::format("file-{}", ++made_));
    if (restores) std::filesystem::create_directories(fresh);
    text = replace_word(text, "FILE", restores ? folder_.file("backup") : fresh);
    for (const auto* place : {"/var/lib/botburrow-hub/hub.db", "/var/lib/botburrow/hub.db"})
      text = replace_all(text, place, restores ? fresh + "/hub.db" : database);
    text = replace_all(text, "/var/lib/botburrow/hub.backup",
                       folder_.file(restores ? "backup" : fmt::format("backup-{}", made_)));
    text = replace_all(text, "/var/backups/", folder_.file("tmp/"));
    return text;
  }
  std::string with_ids(std::string text) {
    static const std::regex id(R"(\bID\b)");
    if (!std::regex_search(text, id)) return text;
    std::string by = thread_;
    if (text.find(" dead ") != std::string::npos)
      by = dead_letter(text);
    else if (text.find("replay") != std::string::npos ||
             text.find("activation:") != std::string::npos)
      by = activation_;
    return std::regex_replace(text, id, by);
  }
  // An item for those who give it another chance; else one that nobody misses.
  std::string dead_letter(const std::string& text) {
    if (text.find("clear") == std::string::npos) {
      if (find_dead("item").empty()) cli({"LPUSH", "work:dead", letter_});
      return find_dead("item");
    }
    cli({"LPUSH", "work:queue:high", fmt::format("no item {}", ++made_)});
    eventually("it is set aside", [&] { return !find_dead("unreadable").empty(); });
    return find_dead("unreadable");
  }
  std::string find_dead(const std::string& kind) {
    for (const auto& line : cli({"LRANGE", "work:dead", "0", "-1"})) {
      if (line.empty()) continue;  // what redis-cli says of an empty list
      const auto letter = parse_json(line, "dead letter");
      if (text_of(letter, "kind") == kind) return text_of(letter, "id");
    }
    return {};
  }

  // What a line acts on has to be there.
  void prepare(const std::string& text) {
    const auto says = [&](const char* what) { return text.find(what) != std::string::npos; };
    if (!says("activations stop") && !says("queue add") && !says("queue drop") &&
        !says("dead retry") && !says("runner --once"))
      return;
    cli({"DEL", "work:paused"});  // also those who were paused one by one
    ask({"backoff", "clear", "--all", "--json"});
    if (says("activations stop")) {
      let_model_answer_after(60s);
      post_as_owner("@scout take your time");
      eventually("it runs", [&] { return cli_line({"HEXISTS", "work:active", "scout"}) == "1"; });
      return;
    }
    eventually("nothing is left to do", [&] { return at_rest(); });
    if (!says("queue drop")) return;
    ask({"agents", "pause", "--all", "--json"});
    ask({"queue", "add", "anna", "--force", "--json"});
  }

  Variables surroundings(const std::string& text, bool of_up) {
    Variables all = {
        {"PATH", fmt::format("{}:{}:/usr/bin:/bin", folder_.file("bin"),
                             std::filesystem::path(BOTBURROW_PROGRAM).parent_path().string())},
        {"BB_LOGS", folder_.file("logs")},
        {"BB_REDIS_PORT", std::to_string(redis_.port())},
        {"REDISCLI_AUTH", redis_.address().password.reveal()},
        {"HUB_ADMIN_KEY", admin_key()},
        {"ADMIN_KEY", admin_key()}};
    // Into a server of its own, where nothing is in the way.
    if (!of_up && text.find("botburrow restore") != std::string::npos) {
      spare_.flush();
      all["REDIS_URL"] = spare_.url();
    }
    return all;
  }

  Ran give(const std::string& prelude, const std::string& text, bool of_up) {
    std::filesystem::create_directories(folder_.file("logs"));
    if (text.find("appendonlydir") != std::string::npos)
      std::filesystem::copy(redis_.folder() / "appendonlydir", folder_.file("appendonlydir"),
                            std::filesystem::copy_options::recursive |
                                std::filesystem::copy_options::overwrite_existing);
    for (auto* service : {hub_, coordinator_, runner_})
      folder_.write(fmt::format("logs/{}", service->pid()), service->out());
    std::string script =
        of_up ? "unset REDIS_URL HUB_URL HUB_API_KEY AGENT_DEFINITIONS_PATH\n" : "";
    return run_other("sh", {"-c", script + prelude + text}, surroundings(text, of_up), 60s);
  }

  std::string fault_of(const DocumentCommand& command, const std::string& prelude,
                       const CommandRule* rule) {
    auto text = filled(command);
    if (rule && rule->action == "check") text += " --check";
    if (is_name_of_command(command)) text += " --help";
    prepare(text);
    const auto ran = give(prelude, text, rule && rule->action == "up");
    let_model_answer_after(0s);
    std::vector<int> codes = rule ? rule->codes : std::vector<int>{};
    codes.push_back(0);
    // What a log need not hold, it can still be asked for.
    if (reads_logs(command.text)) codes.push_back(1);
    if (std::ranges::find(codes, ran.code) == codes.end() || is_redis_error(ran.out))
      return fmt::format("{}\n  exit {}: {}{}", command.where(), ran.code, ran.out.substr(0, 400),
                         ran.err.substr(0, 400));
    return {};
  }

  test::PrivateRedis spare_{{.appendonly = true}};
  Program* coordinator_ = nullptr;
  Program* second_coordinator_ = nullptr;
  Program* runner_ = nullptr;
  std::string service_key_, owner_key_, agent_key_, thread_, activation_, letter_;
  int made_ = 0;
};

TEST_F(Documents, EveryCommandRunsOnALiveSystem) {
  std::vector<std::string> faults;
  std::string page, prelude;
  int given = 0;
  for (const auto& command : all_commands()) {
    if (command.page != page) prelude.clear();
    page = command.page;
    const auto* rule = rule_for(command);
    if (rule && rule->action == "skip") continue;
    if (!is_run(command.text) && !rule && !is_prelude(command.text)) continue;
    if (is_prelude(command.text)) {
      prelude += filled(command) + "\n";
      continue;
    }
    ++given;
    // What stands in a sentence is for a terminal of its own.
    if (const auto fault = fault_of(command, command.fenced ? prelude : "", rule); !fault.empty())
      faults.push_back(fault);
  }

  EXPECT_THAT(faults, IsEmpty());
  EXPECT_GT(given, 100) << "few commands were found: is the form of the documents another?";
}

TEST(DocumentsText, EveryShellLineIsOfAKindThatIsChecked) {
  std::vector<std::string> unknown;
  for (const auto& command : all_commands()) {
    const auto word = first_word(command.text);
    if (is_run(command.text) || is_prelude(command.text) || word == "kubectl" || word == "./dev" ||
        rule_for(command) != nullptr)
      continue;
    unknown.push_back(command.where());
  }

  EXPECT_THAT(unknown, IsEmpty()) << "say in " << kRules << " why it cannot be run";
}

TEST(DocumentsText, ListOfExceptionsHoldsNothingThatIsGone) {
  const auto commands = all_commands();
  std::vector<std::string> stale;
  for (const auto& rule : rules()) {
    if (std::ranges::none_of(commands, [&](const auto& one) { return rule_for(one) == &rule; }))
      stale.push_back(rule.page + ": " + rule.line);
  }

  EXPECT_THAT(stale, IsEmpty());
}

TEST(DocumentsText, WhatIsLookedForInLogsIsLogged) {
  std::vector<std::string> unknown;
  for (const auto& command : all_commands()) {
    if (command.text.find("logs ") == std::string::npos) continue;
    for (const auto& pattern : patterns_of(command.text)) {
      if (sources().find(pattern) == std::string::npos) unknown.push_back(command.where());
    }
  }

  EXPECT_THAT(unknown, IsEmpty());
}

TEST(DocumentsText, KeysOfRedisAreKeysOfTheProgram) {
  std::vector<std::string> unknown;
  for (const auto& command : all_commands()) {
    const auto at = command.text.find("redis-cli ");
    if (at == std::string::npos) continue;
    for (auto word : words_of(command.text.substr(at))) {
      std::erase(word, '\'');
      if (word.find(':') == std::string::npos || word.find("//") != std::string::npos) continue;
      // The last part may be a name or an id.
      const auto family = word.substr(0, word.rfind(':') + 1);
      if (sources().find(word) == std::string::npos && sources().find(family) == std::string::npos)
        unknown.push_back(command.where());
    }
  }

  EXPECT_THAT(unknown, IsEmpty());
}

TEST(DocumentsText, CommandsOfTheFrontExist) {
  const auto front = test::text_of(test::source_root() / "dev");
  std::vector<std::string> unknown;
  for (const auto& command : all_commands()) {
    if (first_word(command.text) != "./dev") continue;
    const auto name = words_of(command.text).at(1);
    if (front.find(fmt::format("\n  {})", name)) == std::string::npos)
      unknown.push_back(command.where());
  }

  EXPECT_THAT(unknown, IsEmpty());
}

TEST(DocumentCommands, ReadsBlocksSentencesAndTables) {
  const auto commands = commands_of("page.md",
                                    "Use `botburrow why AGENT` or `botburrow`.\n"
                                    "```sh\n"
                                    "# a remark\n"
                                    "botburrow status   # look\n"
                                    "kubectl apply \\\n"
                                    "  -f file\n"
                                    "```\n"
                                    "```yaml\nbotburrow: no command\n```\n"
                                    "| command (`redis-cli …`) | shows |\n"
                                    "|---|---|\n"
                                    "| `GET a:b` | something |\n");
  std::vector<std::string> texts;
  for (const auto& command : commands)
    texts.push_back(command.text);

  EXPECT_THAT(texts, testing::ElementsAre("botburrow why AGENT", "botburrow status",
                                          "kubectl apply -f file", "redis-cli GET a:b"));
}

}  // namespace
}  // namespace botburrow::e2e
