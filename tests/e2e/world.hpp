#pragma once

#include "base/json.hpp"
#include "net/http_client.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/private_redis.hpp"
#include "tests/support/program.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::e2e {

using namespace std::chrono_literals;
using test::Program;

/// How a command ended.
struct Ran {
  int code = -1;
  std::string out, err;
  json::value json() const;  ///< of its standard output; throws when it is none
  std::vector<std::string> err_lines() const;
};

using Words = std::vector<std::string>;
using Variables = std::map<std::string, std::string>;

/// What a mention's definition says; the rest is the same for all agents of these tests.
struct AgentText {
  std::string type = "native";
  std::string grants = "hub:read, hub:write";
  std::string brain = "";         ///< further lines of `brain:`, two blanks deep
  std::string capabilities = "";  ///< further lines of `capabilities:`, two blanks deep
  std::string behavior = "";      ///< further lines of `behavior:`, two blanks deep
  int min_interval = 0;
};

/// One machine with the built program on it, as an operator has it: a scratch folder with agent
/// definitions, a model to talk to, programs that are started and ended, and a note of everything
/// they print. At the end nothing of it runs any more, and no secret stands in what was printed.
class World : public ::testing::Test {
 protected:
  World();
  ~World() override;
  void TearDown() override;

  // Things it is made of ------------------------------------------------------------------------
  void define_agent(const std::string& name, const AgentText& text = {});
  std::string definitions() const { return folder_.file("definitions"); }
  std::string data() const { return folder_.file(data_name_); }
  /// A simulated vendor, Anthropic's protocol; programs started later talk to it.
  test::LlmSimulator& use_model();
  test::LlmSimulator& model() { return *model_; }
  /// Adds to the environment of every program started later.
  void set(const std::string& name, const std::string& value) { environment_[name] = value; }
  /// A text that must never be printed; gives it back.
  std::string secret(std::string text);

  // Programs ------------------------------------------------------------------------------------
  /// The built one, or another that BOTBURROW_TEST_PROGRAM names, e.g. an installed one.
  static std::string program_path();
  /// Runs `botburrow WORDS` to its end.
  Ran run(Words words, Variables more = {}, std::chrono::seconds limit = 60s);
  /// The same, and it must succeed: its answer.
  json::value ask(Words words, Variables more = {});
  /// Starts a service; its standard output must be JSON lines.
  Program& start(Words words, Variables more = {});
  /// The same under a shell that runs `commands` before; `"$0" "$@"` is the service there.
  Program& start_after(const std::string& commands, Words words, Variables more = {});
  /// Runs another program, e.g. redis-cli.
  Ran run_other(const std::string& path, Words words, Variables more = {},
                std::chrono::seconds limit = 30s);

  // `up` ----------------------------------------------------------------------------------------
  /// `up` on definitions() and data(), any ports; ready when this returns. `ready_` holds its file.
  Program& up(Words more_words = {}, Variables more = {});
  /// Ids of what `hub post` wrote, through a running `up`.
  std::string post(const std::string& text);
  json::value thread(const std::string& id);

  // Conditions ----------------------------------------------------------------------------------
  /// Looks again and again until `condition` holds; throws naming `what` when `limit` passes.
  void eventually(const std::string& what, const std::function<bool()>& condition,
                  std::chrono::seconds limit = 30s);
  /// Waits for a log line of this event (that fits `fits`), and gives it.
  json::object await_event(Program& program, const std::string& event,
                           std::function<bool(const json::object&)> fits = {},
                           std::chrono::seconds limit = 30s);

  // Talking to services -------------------------------------------------------------------------
  net::HttpResponse http(net::HttpRequest request);
  net::HttpResponse get(const std::string& url);
  /// `redis-cli WORDS`: its lines.
  std::vector<std::string> redis_cli(const std::string& url, Words words);
  std::string redis_line(const std::string& url, Words words);

  boost::asio::io_context io_;
  test::ScratchFolder folder_;
  json::object ready_;
  std::string data_name_ = "data";  ///< of the data folder, below folder_

 private:
  struct Kept {
    std::unique_ptr<Program> program;
    bool service = false;
  };
  Program& launch(Program::Options options, bool service);
  Variables environment_of(Variables more) const;
  void check_output() const;
  void show_output() const;

  Variables environment_;
  std::vector<std::string> secrets_;
  std::unique_ptr<test::LlmSimulator> model_;
  std::unique_ptr<net::HttpClient> http_;
  std::deque<Kept> programs_;
};

std::string text_of(const json::value& object, std::string_view field);
/// Comments of a thread by this author.
std::vector<json::object> answers_of(const json::value& thread, const std::string& author);
/// Processes of this machine whose arguments hold the word, but this one.
std::vector<std::string> processes_named(const std::string& word);
/// A port of 127.0.0.1 that is taken as long as this lives.
class TakenPort {
 public:
  explicit TakenPort(boost::asio::io_context& io);
  ~TakenPort();
  int number() const { return number_; }

 private:
  struct Acceptor;
  std::unique_ptr<Acceptor> acceptor_;
  int number_ = 0;
};
/// A port of 127.0.0.1 on which nobody listens.
int closed_port(boost::asio::io_context& io);

}  // namespace botburrow::e2e
