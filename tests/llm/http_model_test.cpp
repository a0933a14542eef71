// Models against the simulator: the real client, real sockets, and what goes wrong on them.
#include "base/deadline.hpp"
#include "base/error.hpp"
#include "net/http_client.hpp"
#include "tests/llm/samples.hpp"
#include "tests/support/llm_simulator.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

namespace botburrow::llm {
namespace {

using namespace std::chrono_literals;
using test::LlmSimulator;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Answer = LlmSimulator::Answer;
using Fault = LlmSimulator::Fault;

class Models : public testing::TestWithParam<Api> {
 protected:
  Models()
      : simulator_(io_.get_executor(), options()),
        http_(io_.get_executor(), {.connections_max = 2'000}) {
    simulator_.start();
  }
  ~Models() override { test::run_task(io_, simulator_.stop()); }

  static LlmSimulator::Options options() {
    LlmSimulator::Options options;
    options.ollama_models = {"m-1"};
    return options;
  }

  ProviderConfig config() const {
    switch (GetParam()) {
      case Api::anthropic:
        return config_for(Api::anthropic, "anthropic", simulator_.url());
      case Api::openai:
        return config_for(Api::openai, "openai", simulator_.url() + "/v1");
      default:
        return config_for(Api::ollama, "ollama", simulator_.url());
    }
  }

  std::unique_ptr<Model> model() { return model(config()); }
  std::unique_ptr<Model> model(ProviderConfig config) {
    return make_model(std::move(config), http_, random_, Log::none(), &metrics_);
  }

  static ModelRequest hello() {
    ModelRequest request;
    request.messages = {Message::system("Be kind."), Message::user("Hello gr\xc3\xbc\xc3\x9f")};
    return request;
  }

  ModelAnswer ask(Model& model, ModelRequest request, Deadline deadline = Deadline::in(20s)) {
    return test::run_task(io_, model.complete(std::move(request), deadline));
  }
  ModelAnswer ask(ModelRequest request = hello()) { return ask(*model(), std::move(request)); }

  Error failure(Model& model, Deadline deadline = Deadline::in(20s),
                ModelRequest request = hello()) {
    try {
      ask(model, std::move(request), deadline);
    } catch (const Error& error) {
      return error;
    }
    return Error(errc::internal, "nothing failed");
  }
  Error failure() { return failure(*model()); }

  double counted(std::string_view outcome) {
    const auto& series = metrics_.counter("botburrow_llm_requests_total", "", {}).series();
    for (const auto& [labels, value] : series) {
      if (labels[2] == outcome) return value.value();
    }
    return 0;
  }

  boost::asio::io_context io_;
  SeededRandom random_{1};
  Metrics metrics_;
  LlmSimulator simulator_;
  net::HttpClient http_;
};

INSTANTIATE_TEST_SUITE_P(EveryVendor, Models,
                         testing::Values(Api::anthropic, Api::openai, Api::ollama),
                         [](const auto& info) {
                           return info.param == Api::anthropic ? "anthropic"
                                  : info.param == Api::openai  ? "openai"
                                                               : "ollama";
                         });

TEST_P(Models, TextUsageAndModelArriveWhole) {
  const std::string text = "caf\xc3\xa9 \xf0\x9f\x90\xa6 and more text than fits one piece\n";
  auto said = Answer::say(text);
  said.input_tokens = 123;
  said.output_tokens = 45;
  for (const std::size_t chunk_bytes : {0, 1, 7, 100'000}) {
    said.chunk_bytes = chunk_bytes;
    simulator_.queue(said);
    const auto answer = ask();
    EXPECT_EQ(answer.text, text);
    EXPECT_EQ(answer.stop, StopReason::end);
    EXPECT_EQ(answer.usage, (Usage{.input = 123, .output = 45}));
    EXPECT_EQ(answer.model, "m-1");
  }
  EXPECT_EQ(simulator_.last().system_text(), "Be kind.");
  EXPECT_EQ(simulator_.rejected(), 0u);
  EXPECT_EQ(counted("success"), 4);
}

TEST_P(Models, AConversationWithToolsPassesTheVendorsChecks) {
  auto model = this->model();
  auto request = hello();
  request.tools = {tool("hub_search"), tool("mcp_git.hub/list issues")};
  Answer both = Answer::call("hub_search", parsed(R"({"q":"x"})"));
  both.calls.push_back({"mcp_git_hub_list_issues", json::object{}, {}});
  both.text = "Looking.";
  simulator_.queue(both);
  for (int turn = 0; turn < 3; ++turn) {
    const auto answer = ask(*model, request);
    ASSERT_EQ(simulator_.rejected(), 0u) << simulator_.last().raw_body;
    request.messages.push_back(Message::assistant(answer));
    if (answer.tool_calls.empty()) break;
    ASSERT_EQ(answer.tool_calls.size(), 2u);
    EXPECT_EQ(answer.tool_calls[1].name, "mcp_git.hub/list issues");
    EXPECT_EQ(answer.stop, StopReason::tool_use);
    request.messages.push_back(
        Message::tool({{answer.tool_calls[1].id, answer.tool_calls[1].name, "", true},
                       {answer.tool_calls[0].id, answer.tool_calls[0].name, "found", false}}));
    request.may_call_tools = false;
  }
  EXPECT_EQ(simulator_.requests(), 2u);
  EXPECT_TRUE(simulator_.last().ends_with_tool_results());
  // And with no tools described any more.
  request.tools.clear();
  request.messages.push_back(Message::user("Go on."));
  ask(*model, request);
  EXPECT_EQ(simulator_.rejected(), 0u);
}

TEST_P(Models, BrokenArgumentsAreMalformedNotFatal) {
  Answer broken;
  broken.calls.push_back({"hub_search", json::object{}, "{\"q\": \"x"});
  simulator_.queue(broken);
  auto request = hello();
  request.tools = {tool("hub_search")};
  const auto answer = ask(request);
  ASSERT_EQ(answer.tool_calls.size(), 1u);
  EXPECT_EQ(answer.tool_calls[0].malformed, "{\"q\": \"x");
  // The transcript with such a call is still one that vendors take.
  request.messages.push_back(Message::assistant(answer));
  request.messages.push_back(
      Message::tool({{answer.tool_calls[0].id, "hub_search", "arguments are no JSON", true}}));
  ask(request);
  EXPECT_EQ(simulator_.rejected(), 0u) << simulator_.last().raw_body;
}

TEST_P(Models, FailuresThatPassAreRepeated) {
  for (const auto& first : std::vector<Answer>{
           Answer::error(500), Answer::error(529), Answer::error(408),
           Answer::broken(Fault::reset_before_answer), Answer::broken(Fault::close_before_answer),
           Answer::broken(Fault::cut), Answer::broken(Fault::garbage),
           Answer::broken(Fault::error_event), Answer::broken(Fault::no_end)}) {
    simulator_.forget();
    simulator_.queue(first);
    simulator_.queue(Answer::say("recovered"));
    EXPECT_EQ(ask().text, "recovered")
        << first.status << " fault " << static_cast<int>(first.fault);
    EXPECT_EQ(simulator_.requests(), 2u);
  }
}

TEST_P(Models, RepeatsAsOftenAsConfiguredAndThenSaysWhatTheVendorSaid) {
  simulator_.script([](const auto&) { return Answer::error(503, "the house is full"); });
  const auto error = failure();
  EXPECT_EQ(simulator_.requests(), 3u);
  EXPECT_EQ(error.code(), errc::model_unavailable);
  EXPECT_EQ(error.retry(), Retry::after_backoff);
  EXPECT_EQ(error.status(), 503);
  EXPECT_THAT(error.message(), HasSubstr("the house is full"));
  EXPECT_EQ(counted("unavailable"), 3);
}

TEST_P(Models, RefusalsAreNotRepeated) {
  for (const int status : {400, 402, 404, 413, 422}) {
    simulator_.forget();
    simulator_.queue(Answer::error(status, "not like this"));
    const auto error = failure();
    EXPECT_EQ(error.retry(), Retry::never) << status;
    EXPECT_EQ(error.code(), status == 402 ? errc::model_unavailable : errc::model_refused_request)
        << status;
    EXPECT_THAT(error.message(), HasSubstr("not like this"));
    EXPECT_EQ(simulator_.requests(), 1u);
  }
}

TEST_P(Models, AWrongKeyFailsAtOnceAndIsNeverShown) {
  auto wrong = config();
  wrong.key = Secret("sk-wrong-key-123456");
  if (GetParam() == Api::ollama)
    simulator_.queue(Answer::error(401, "bad key sk-wrong-key-123456"));
  const auto error = failure(*model(wrong));
  EXPECT_EQ(error.code(), errc::model_auth);
  EXPECT_THAT(error.message(), StartsWith("Invalid API key ("));
  EXPECT_THAT(error.message(), HasSubstr("TEST_KEY"));
  EXPECT_THAT(error.message(), Not(HasSubstr("wrong-key")));
  EXPECT_EQ(simulator_.requests(), 1u);
  EXPECT_EQ(counted("auth"), 1);
}

TEST_P(Models, RetryAfterIsHonoured) {
  auto busy = Answer::error(429, "slow down");
  busy.headers = {{"retry-after", "0.3"}};
  simulator_.queue(busy);
  simulator_.queue(Answer::say("now"));
  const auto before = BootClock::now();
  EXPECT_EQ(ask().text, "now");
  EXPECT_GE(BootClock::now() - before, 300ms);
}

TEST_P(Models, ALongRetryAfterIsReportedInsteadOfWaitedFor) {
  auto busy = Answer::error(429, "slow down");
  busy.headers = {{"retry-after", "600"}};
  simulator_.queue(busy);
  const auto before = BootClock::now();
  const auto error = failure();
  EXPECT_LT(BootClock::now() - before, 5s);
  EXPECT_EQ(error.code(), errc::model_rate_limited);
  EXPECT_EQ(error.retry_after(), 600);
  EXPECT_EQ(simulator_.requests(), 1u);
}

TEST_P(Models, SilenceAndStallsEndAtTheIdleLimit) {
  auto impatient = config();
  impatient.idle_timeout = 150ms;
  impatient.max_retries = 0;
  const auto model = this->model(impatient);
  for (const auto fault : {Fault::silence, Fault::stall}) {
    simulator_.queue(Answer::broken(fault));
    const auto before = BootClock::now();
    const auto error = failure(*model);
    EXPECT_LT(BootClock::now() - before, 5s);
    EXPECT_EQ(error.code(), errc::timeout);
    EXPECT_EQ(error.retry(), Retry::after_backoff);
  }
}

TEST_P(Models, TheDeadlineEndsEverything) {
  simulator_.script([](const auto&) { return Answer::broken(Fault::silence); });
  const auto before = BootClock::now();
  EXPECT_EQ(failure(*model(), Deadline::in(250ms)).code(), errc::timeout);
  EXPECT_LT(BootClock::now() - before, 5s);
  EXPECT_EQ(simulator_.requests(), 1u);
  // Nor does a wait between attempts pass it.
  simulator_.script([](const auto&) { return Answer::error(500); });
  auto patient = config();
  patient.first_retry_wait = 1h;
  EXPECT_EQ(failure(*model(patient), Deadline::in(3s)).code(), errc::model_unavailable);
  EXPECT_LT(BootClock::now() - before, 5s);
}

TEST_P(Models, CancellingLeavesTheVendorAtOnce) {
  simulator_.script([](const auto&) { return Answer::broken(Fault::silence); });
  auto model = this->model();
  TaskGroup group(io_.get_executor());
  bool ended = false;
  group.spawn("call", [&]() -> Task<> {
    std::exception_ptr failure;
    try {
      co_await model->complete(hello(), Deadline::never());
    } catch (...) {
      failure = std::current_exception();
    }
    ended = is_cancellation(failure);
  });
  test::run_task(io_, simulator_.wait_for_requests(1));
  EXPECT_EQ(http_.active(), 1u);
  test::run_task(io_, group.stop());
  EXPECT_TRUE(ended);
  EXPECT_EQ(http_.active(), 0u);
  EXPECT_TRUE(test::run_until(io_, [&] { return simulator_.connections() == 0; }, 5s));
  EXPECT_EQ(counted("cancelled"), 1);
}

TEST_P(Models, CancellingDuringTheWaitBetweenAttemptsEndsIt) {
  auto busy = Answer::error(429);
  busy.headers = {{"retry-after", "30"}};
  simulator_.queue(busy);
  auto model = this->model();
  TaskGroup group(io_.get_executor());
  group.spawn("call", [&]() -> Task<> { co_await model->complete(hello(), Deadline::never()); });
  test::run_task(io_, simulator_.wait_for_requests(1));
  ASSERT_TRUE(test::run_until(io_, [&] { return counted("rate_limited") == 1; }, 5s));
  const auto before = BootClock::now();
  test::run_task(io_, group.stop());
  EXPECT_LT(BootClock::now() - before, 2s);
}

TEST_P(Models, AServerThatIsNotThereIsUnavailable) {
  auto nowhere = config();
  boost::asio::ip::tcp::acceptor taken(io_, {boost::asio::ip::address_v4::loopback(), 0});
  const auto port = taken.local_endpoint().port();
  taken.close();
  nowhere.api_base = "http://127.0.0.1:" + std::to_string(port);
  nowhere.max_retries = 1;
  const auto error = failure(*model(nowhere));
  EXPECT_EQ(error.code(), errc::model_unavailable);
  EXPECT_EQ(error.detail(), "not_sent");
  EXPECT_EQ(counted("unavailable"), 2);
}

TEST_P(Models, AThousandSlowAnswersAreWaitedForTogether) {
  constexpr std::size_t kCalls = 1'000;
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2 * kCalls + 100) GTEST_SKIP() << "too few file descriptors";
  simulator_.script([](const auto& request) {
    auto answer = Answer::say("to " + request.last_user_text());
    answer.delay = 2s;
    return answer;
  });
  auto model = this->model();
  TaskGroup group(io_.get_executor());
  std::size_t right = 0;
  for (std::size_t i = 0; i < kCalls; ++i) {
    group.spawn("call", [&, i]() -> Task<> {
      ModelRequest request;
      request.messages = {Message::user("number " + std::to_string(i))};
      const auto answer = co_await model->complete(std::move(request), Deadline::in(60s));
      if (answer.text == "to number " + std::to_string(i)) ++right;
    });
  }
  test::run_task(io_, group.join(), 90s);
  EXPECT_EQ(right, kCalls);
  EXPECT_GT(simulator_.waiting_max(), kCalls / 2);
}

TEST_P(Models, TheVendorsWordsAreShownInWhateverFormTheyCome) {
  simulator_.queue(
      Answer::whole(422, R"({"detail":[{"loc":["body","model"],"msg":"model not found"}]})"));
  EXPECT_THAT(failure().message(), HasSubstr("422 refused: body.model: model not found"));
  simulator_.queue(Answer::whole(400, R"({"detail":{"message":"no such thing"}})"));
  EXPECT_THAT(failure().message(), HasSubstr("400 refused: no such thing"));
  simulator_.queue(Answer::whole(400, R"({"reason_code":17})"));
  EXPECT_THAT(failure().message(), HasSubstr(R"(400 refused: {"reason_code":17})"));
}

TEST_P(Models, AnAnswerThatIsNoStreamIsNamedAndNotAskedForAgain) {
  for (const auto& answer : std::vector<Answer>{
           Answer::whole(200, "<html>captive\nportal</html>", "text/html; charset=utf-8"),
           Answer::whole(200, "<html>captive portal</html>"),
           Answer::whole(200, R"({"captive":"portal"})")}) {
    simulator_.forget();
    simulator_.queue(answer);
    const auto error = failure();
    EXPECT_EQ(error.code(), errc::protocol);
    EXPECT_EQ(error.retry(), Retry::never);
    EXPECT_THAT(error.message(), HasSubstr("not a stream of events but " + answer.content_type));
    EXPECT_THAT(error.message(), HasSubstr("portal"));
    EXPECT_THAT(error.message(), HasSubstr("brain.api_base " + config().api_base));
    EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
    EXPECT_EQ(simulator_.requests(), 1u);
  }
}

TEST_P(Models, AnEncodedAnswerIsNamedByItsEncoding) {
  auto zipped = Answer::whole(200, std::string("\x1f\x8b\x08\x00", 4) + "xxx", "text/event-stream");
  zipped.headers = {{"content-encoding", "gzip"}};
  simulator_.queue(zipped);
  const auto error = failure();
  EXPECT_THAT(error.message(), HasSubstr("encoded (gzip)"));
  EXPECT_EQ(simulator_.requests(), 1u);
}

TEST_P(Models, AnEmptyAnswerAndAStreamThatEndsAtOnceAreRepeated) {
  for (const auto& answer : {Answer::whole(200, "", "text/html"),
                             Answer::whole(200, ": keep-alive\n\n", "text/event-stream")}) {
    if (GetParam() == Api::ollama && !answer.body->empty()) continue;  // it has no comments
    simulator_.forget();
    simulator_.queue(answer);
    simulator_.queue(Answer::say("recovered"));
    EXPECT_EQ(ask().text, "recovered");
    EXPECT_EQ(simulator_.requests(), 2u);
  }
}

TEST_P(Models, ARedirectNamesItsTargetAndTheBaseToSet) {
  auto moved = Answer::whole(308, "");
  moved.headers = {{"location", "https://user:pass@models.example/v2/chat/completions?key=secret"}};
  simulator_.queue(moved);
  const auto error = failure();
  EXPECT_EQ(error.code(), errc::model_refused_request);
  EXPECT_THAT(error.message(), HasSubstr("308 to https://models.example/v2/chat/completions: set "
                                         "brain.api_base to https://models.example/v2"));
  EXPECT_THAT(error.message(), Not(HasSubstr("pass")));
  EXPECT_THAT(error.message(), Not(HasSubstr("secret")));
  moved.headers = {{"location", "/elsewhere"}};
  simulator_.queue(moved);
  EXPECT_THAT(failure().message(), HasSubstr("308 to " + simulator_.url() + "/elsewhere"));
  EXPECT_EQ(simulator_.requests(), 2u);
}

class OpenAi : public Models {};
INSTANTIATE_TEST_SUITE_P(Vendor, OpenAi, testing::Values(Api::openai));

TEST_P(OpenAi, ModelsThatReasonAreSpokenToInTheirWayFromTheSecondRequestOn) {
  auto reasons = config();
  reasons.model = "o3-mini";
  auto model = this->model(reasons);
  EXPECT_THAT(ask(*model, hello()).text, HasSubstr("Simulated answer"));
  EXPECT_EQ(simulator_.rejected(), 2u);
  ask(*model, hello());
  EXPECT_EQ(simulator_.rejected(), 2u);
  EXPECT_EQ(simulator_.last().body.at("max_completion_tokens"), 4096);
}

// The servers that speak like OpenAI or Ollama, and the models that run behind them.
class LocalModels : public Models {};
INSTANTIATE_TEST_SUITE_P(Vendors, LocalModels, testing::Values(Api::openai, Api::ollama));

TEST_P(LocalModels, AModelWithoutToolsIsAskedOnceWithoutThem) {
  for (const auto& [status, words] : std::vector<std::pair<int, std::string>>{
           {400, "registry.ollama.ai/library/tiny does not support tools"},
           {500, "tools param requires --jinja flag"},
           {400, "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser"},
           {404, "No endpoints found that support tool use"}}) {
    simulator_.forget();
    auto model = this->model();
    auto request = hello();
    request.tools = {tool("hub_search")};
    simulator_.queue(Answer::error(status, words));
    simulator_.queue(Answer::say("without"));
    EXPECT_EQ(ask(*model, request).text, "without") << words;
    EXPECT_EQ(simulator_.requests(), 2u);
    EXPECT_THAT(simulator_.last().tool_names(), testing::IsEmpty());
    // It is remembered.
    EXPECT_THAT(ask(*model, request).text, HasSubstr("Simulated answer"));
    EXPECT_EQ(simulator_.requests(), 3u);
  }
}

TEST_P(LocalModels, AFaultyToolIsNoReasonToLeaveToolsOut) {
  auto request = hello();
  request.tools = {tool("hub_search")};
  simulator_.queue(Answer::error(400, "Invalid schema for function 'hub_search'"));
  EXPECT_THAT(failure(*model(), Deadline::in(20s), request).message(), HasSubstr("Invalid schema"));
  EXPECT_EQ(simulator_.requests(), 1u);
}

TEST_P(LocalModels, ThinkingInFrontOfTheAnswerIsNotPartOfIt) {
  auto thought = Answer::say("\n<think>secret thoughts\n</think>\n\nThe answer.");
  for (const std::size_t chunk_bytes : {0, 1, 5}) {
    thought.chunk_bytes = chunk_bytes;
    simulator_.queue(thought);
    EXPECT_EQ(ask().text, "The answer.");
  }
}

TEST_P(OpenAi, AnEmptyAccountIsNotAskedAgain) {
  auto empty = Answer::error(429, "You exceeded your current quota");
  empty.error_type = "insufficient_quota";
  simulator_.queue(empty);
  const auto error = failure();
  EXPECT_EQ(error.detail(), "insufficient_quota");
  EXPECT_EQ(error.retry(), Retry::never);
  EXPECT_EQ(simulator_.requests(), 1u);
}

class Anthropic : public Models {};
INSTANTIATE_TEST_SUITE_P(Vendor, Anthropic, testing::Values(Api::anthropic));

TEST_P(Anthropic, ThinkingIsGivenBackWithItsSignature) {
  auto thinking = Answer::call("hub_search");
  thinking.blocks_before =
      parsed(R"([{"type":"thinking","thinking":"hm","signature":"sig"}])").as_array();
  simulator_.queue(thinking);
  auto request = hello();
  request.tools = {tool("hub_search")};
  auto model = this->model();
  const auto answer = ask(*model, request);
  request.messages.push_back(message_from_json(to_json_value(Message::assistant(answer))));
  request.messages.push_back(Message::tool({{answer.tool_calls[0].id, "hub_search", "x", false}}));
  ask(*model, request);
  EXPECT_EQ(simulator_.rejected(), 0u);
  EXPECT_EQ(simulator_.last().body.at("messages").at(1).at("content").at(0).at("signature"), "sig");
}

TEST_P(Anthropic, PausedAnswersAreContinued) {
  auto paused = Answer::say("first half");
  paused.stop = "pause_turn";
  simulator_.queue(paused);
  auto request = hello();
  auto model = this->model();
  const auto answer = ask(*model, request);
  EXPECT_EQ(answer.stop, StopReason::pause);
  request.messages.push_back(Message::assistant(answer));
  request.messages.push_back(Message::assistant(ask(*model, request)));
  request.messages.push_back(Message::user("and now?"));
  ask(*model, request);
  EXPECT_EQ(simulator_.rejected(), 0u);
}

class Sources : public Models {
 protected:
  ProviderSettings settings(LlmMode mode) {
    ProviderSettings out;
    out.mode = mode;
    out.ollama_host = simulator_.url();
    out.key = [](std::string_view name) {
      return name == "OPENAI_API_KEY" ? Secret("simulated-key") : Secret();
    };
    out.openai_base_url = simulator_.url() + "/v1";
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Any, Sources, testing::Values(Api::openai));

TEST_P(Sources, AutoUsesTheKeyThatIsThereAndTheLocalServerForTheOthers) {
  ConfiguredModels models(settings(LlmMode::automatic), http_, random_, Log::none(), &metrics_);
  const auto openai =
      test::run_task(io_, models.model_for({.provider = "openai", .model = "gpt-4o"}));
  EXPECT_EQ(openai->provider(), "openai");
  const auto local =
      test::run_task(io_, models.model_for({.provider = "anthropic", .model = "claude-x"}));
  EXPECT_EQ(local->provider(), "ollama");
  EXPECT_THAT(ask(*local, hello()).text, HasSubstr("Simulated answer"));
  EXPECT_EQ(test::run_task(io_, models.model_for({.provider = "anthropic", .model = "claude-x"})),
            local);
}

TEST_P(Sources, AutoFallsBackToTheOfflineModelWhereNothingAnswers) {
  auto nobody = settings(LlmMode::automatic);
  test::run_task(io_, simulator_.stop());
  ConfiguredModels models(nobody, http_, random_, Log::none(), &metrics_);
  const auto model =
      test::run_task(io_, models.model_for({.provider = "anthropic", .model = "claude-x"}));
  EXPECT_EQ(model->provider(), "offline");
  const auto answer = ask(*model, hello());
  EXPECT_TRUE(answer.offline);
  EXPECT_EQ(answer.model, "claude-x");
}

TEST_P(Sources, VendorModeNamesTheMissingKey) {
  ConfiguredModels models(settings(LlmMode::vendor), http_, random_, Log::none(), &metrics_);
  try {
    test::run_task(io_, models.model_for({.provider = "anthropic", .model = "claude-x"}));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::model_auth);
    EXPECT_EQ(error.message(), "anthropic: no key; set ANTHROPIC_API_KEY");
  }
}

}  // namespace
}  // namespace botburrow::llm
