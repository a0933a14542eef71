#include "tools/toolbox.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "tests/support/run_task.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace botburrow::tools {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// A tool that does what the test says.
class ScriptedTool final : public Tool {
 public:
  using Body = std::function<Task<ToolOutput>(json::value)>;
  ScriptedTool(std::string name, Body body, bool effects = false)
      : spec_{.name = std::move(name),
              .input_schema = {{"type", "object"},
                               {"properties",
                                {{"text", {{"type", "string"}}}, {"count", {{"type", "integer"}}}}},
                               {"required", json::array{"text"}}}},
        body_(std::move(body)),
        effects_(effects) {}
  const llm::ToolSpec& spec() const override { return spec_; }
  bool has_effects() const override { return effects_; }
  Task<ToolOutput> call(json::value arguments, Deadline) override {
    co_return co_await body_(std::move(arguments));
  }

 private:
  llm::ToolSpec spec_;
  Body body_;
  bool effects_;
};

class ToolboxTest : public ::testing::Test {
 protected:
  void add(std::string name, ScriptedTool::Body body, bool effects = false) {
    box.add(std::make_unique<ScriptedTool>(std::move(name), std::move(body), effects));
  }
  llm::ToolResult call(std::string name, json::value arguments = {{"text", "x"}},
                       std::optional<std::string> malformed = {}) {
    llm::ToolCall wish{.id = "c1",
                       .name = std::move(name),
                       .arguments = std::move(arguments),
                       .malformed = std::move(malformed)};
    return test::run_task(ioc,
                          box.call(std::move(wish), Deadline::in(std::chrono::seconds(5)), fatal));
  }
  boost::asio::io_context ioc;
  Metrics metrics;
  Toolbox box{Log::none(), metrics};
  bool fatal = false;
};

Task<ToolOutput> say(std::string text) {
  co_return ToolOutput::ok(std::move(text));
}

TEST_F(ToolboxTest, OutputGoesBackUnderTheCallsId) {
  add("echo",
      [](json::value arguments) { return say(string_field(arguments, "text").value_or("")); });
  const auto result = call("echo", {{"text", "hello"}});
  EXPECT_EQ(result.call_id, "c1");
  EXPECT_EQ(result.tool_name, "echo");
  EXPECT_EQ(result.content, "hello");
  EXPECT_FALSE(result.is_error);
  EXPECT_THAT(metrics.expose(),
              HasSubstr("botburrow_tool_calls_total{tool=\"echo\",outcome=\"ok\"} 1"));
}

TEST_F(ToolboxTest, UnknownToolIsToldAndCountedAsOther) {
  const auto result = call("nothing_like_it");
  EXPECT_EQ(result.content, "Error: Unknown tool: nothing_like_it");
  EXPECT_TRUE(result.is_error);
  EXPECT_THAT(metrics.expose(),
              HasSubstr("botburrow_tool_calls_total{tool=\"_other\",outcome=\"error\"} 1"));
}

TEST_F(ToolboxTest, MalformedCallIsNotRun) {
  bool ran = false;
  add("echo", [&](json::value) {
    ran = true;
    return say("");
  });
  const auto result = call("echo", json::object{}, "{\"text\": \"hal");
  EXPECT_FALSE(ran);
  EXPECT_THAT(result.content, HasSubstr("not a complete JSON object"));
  EXPECT_THAT(result.content, HasSubstr("{\"text\": \"hal"));
}

TEST_F(ToolboxTest, WrongArgumentsAreNotRun) {
  bool ran = false;
  add("echo", [&](json::value) {
    ran = true;
    return say("");
  });
  EXPECT_EQ(call("echo", json::object{}).content, "Error: echo: 'text' is required");
  EXPECT_FALSE(ran);
}

TEST_F(ToolboxTest, ErrorsOfAToolAreTold) {
  add("bad", [](json::value) -> Task<ToolOutput> {
    throw Error(errc::http_unavailable, "GET /x: connection refused");
    co_return ToolOutput{};
  });
  EXPECT_EQ(call("bad").content, "Error: GET /x: connection refused");
}

TEST_F(ToolboxTest, UnexpectedExceptionsOfAToolAreTold) {
  add("bad", [](json::value) -> Task<ToolOutput> {
    throw std::out_of_range("no such key");
    co_return ToolOutput{};
  });
  EXPECT_EQ(call("bad").content, "Error: no such key");
}

TEST_F(ToolboxTest, ErrorsOfAToolWithEffectsEndTheRun) {
  add(
      "write",
      [](json::value) -> Task<ToolOutput> {
        throw Error(errc::http_unavailable, "POST /x: reset");
        co_return ToolOutput{};
      },
      true);
  EXPECT_THROW(call("write"), Error);
}

TEST_F(ToolboxTest, StaleFenceAndCancellationPassThrough) {
  add("stale", [](json::value) -> Task<ToolOutput> {
    throw Error(errc::stale_fence, "gone");
    co_return ToolOutput{};
  });
  add("cut", [](json::value) -> Task<ToolOutput> {
    throw boost::system::system_error(boost::asio::error::operation_aborted);
    co_return ToolOutput{};
  });
  EXPECT_THROW(call("stale"), Error);
  EXPECT_THROW(call("cut"), boost::system::system_error);
}

TEST_F(ToolboxTest, FatalIsRaisedAndNeverLowered) {
  add("worst", [](json::value) -> Task<ToolOutput> {
    auto output = ToolOutput::failed("it burns");
    output.fatal = true;
    co_return output;
  });
  add("fine", [](json::value) { return say("ok"); });
  call("worst");
  EXPECT_TRUE(fatal);
  call("fine");
  EXPECT_TRUE(fatal);
}

TEST_F(ToolboxTest, RefusalIsCountedAsBlocked) {
  add("no", [](json::value) -> Task<ToolOutput> { co_return ToolOutput::refused("not you"); });
  EXPECT_TRUE(call("no").is_error);
  EXPECT_THAT(metrics.expose(), HasSubstr("tool=\"no\",outcome=\"blocked\"} 1"));
}

TEST_F(ToolboxTest, NoResultHoldsAKnownSecret) {
  Scrubber scrubber;
  scrubber.add(Secret("hunter2-hunter2"));
  box.scrub_with(&scrubber);
  add("prints", [](json::value) -> Task<ToolOutput> {
    co_return ToolOutput{.output = "key=hunter2-hunter2", .error = "refused hunter2-hunter2"};
  });
  add("throws", [](json::value) -> Task<ToolOutput> {
    throw std::runtime_error("with hunter2-hunter2");
    co_return ToolOutput{};
  });
  EXPECT_EQ(call("prints").content, "key=[secret removed]\nError: refused [secret removed]");
  EXPECT_THAT(call("throws").content, HasSubstr("with [secret removed]"));
  EXPECT_THAT(call("hunter2-hunter2").content, HasSubstr("Unknown tool: [secret removed]"));
}

TEST_F(ToolboxTest, ASecretAtTheCutIsNotHalved) {
  Scrubber scrubber;
  scrubber.add(Secret("hunter2-hunter2"));
  box.scrub_with(&scrubber);
  add("long", [](json::value) -> Task<ToolOutput> {
    std::string text;
    while (text.size() < 3 * kToolOutputBytesMax)
      text += "hunter2-hunter2";
    co_return ToolOutput::ok(text);
  });
  EXPECT_THAT(call("long").content, Not(HasSubstr("hunter2")));
}

TEST_F(ToolboxTest, LongOutputKeepsHeadAndTail) {
  add("long", [](json::value) { return say("begin " + std::string(200'000, 'x') + " end"); });
  const auto content = call("long").content;
  EXPECT_LE(content.size(), kToolOutputBytesMax);
  EXPECT_THAT(content, StartsWith("begin "));
  EXPECT_THAT(content, EndsWith(" end"));
  EXPECT_THAT(content, HasSubstr("bytes left out"));
}

TEST(ToolOutput, ModelSeesOutputThenError) {
  EXPECT_EQ(ToolOutput::ok("fine").for_model(), "fine");
  EXPECT_EQ(ToolOutput::failed("broke").for_model(), "Error: broke");
  EXPECT_EQ((ToolOutput{.output = "half", .error = "broke"}).for_model(), "half\nError: broke");
}

const json::value kSchema = {{"type", "object"},
                             {"properties",
                              {{"s", {{"type", "string"}}},
                               {"i", {{"type", "integer"}}},
                               {"n", {{"type", "number"}}},
                               {"b", {{"type", "boolean"}}},
                               {"o", {{"type", "object"}}},
                               {"a", {{"type", "array"}}},
                               {"u", {{"type", json::array{"string", "null"}}}},
                               {"free", json::object{}}}},
                             {"required", json::array{"s"}}};

TEST(ArgumentFault, RightTypesPass) {
  EXPECT_EQ(argument_fault(kSchema, {{"s", ""}}), std::nullopt);
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"},
                                     {"i", 3},
                                     {"n", 1.5},
                                     {"b", true},
                                     {"o", json::object{}},
                                     {"a", json::array{}},
                                     {"free", 1},
                                     {"unknown", 2},
                                     {"u", 4}}),
            std::nullopt);
}

TEST(ArgumentFault, WholeNumbersCountAsIntegersFractionsDoNot) {
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"i", 3.0}}), std::nullopt);
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"i", 3.5}}),
            "'i' must be of type integer, not a number");
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"n", 3}}), std::nullopt);
}

TEST(ArgumentFault, WrongTypesAreNamed) {
  EXPECT_EQ(argument_fault(kSchema, {{"s", 1}}), "'s' must be of type string, not a number");
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"b", "true"}}),
            "'b' must be of type boolean, not a string");
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"o", json::array{}}}),
            "'o' must be of type object, not a list");
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"a", json::object{}}}),
            "'a' must be of type array, not an object");
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"i", true}}),
            "'i' must be of type integer, not a boolean");
}

TEST(ArgumentFault, NullCountsAsAbsent) {
  EXPECT_EQ(argument_fault(kSchema, {{"s", "x"}, {"i", nullptr}}), std::nullopt);
  EXPECT_EQ(argument_fault(kSchema, {{"s", nullptr}}), "'s' is required");
}

TEST(ArgumentFault, NoObjectAndOddSchemas) {
  EXPECT_EQ(argument_fault(kSchema, json::array{}), "the arguments are not an object");
  EXPECT_EQ(argument_fault(json::value(), json::object{}), std::nullopt);
  EXPECT_EQ(argument_fault({{"required", json::array{1, nullptr}}}, json::object{}), std::nullopt);
  EXPECT_EQ(argument_fault({{"properties", 3}}, json::object{}), std::nullopt);
}

TEST(BoundedOutput, FittingTextIsLeftAlone) {
  EXPECT_EQ(bounded_output("", 1000), "");
  const std::string exact(1000, 'x');
  EXPECT_EQ(bounded_output(exact, 1000), exact);
}

TEST(BoundedOutput, OneByteTooManyIsCutWithinTheBound) {
  const auto cut = bounded_output(std::string(1001, 'x'), 1000);
  EXPECT_LE(cut.size(), 1000u);
  EXPECT_THAT(cut, HasSubstr("left out"));
}

TEST(BoundedOutput, NeverCutsInsideACharacterAndAlwaysFits) {
  std::string text;
  while (text.size() < 3000)
    text += "aä€😀";
  for (std::size_t max = 128; max < 300; ++max) {
    const auto cut = bounded_output(text, max);
    EXPECT_LE(cut.size(), max);
    EXPECT_EQ(cut, valid_utf8(cut)) << max;
    EXPECT_THAT(cut, Not(HasSubstr("\xef\xbf\xbd"))) << max;
  }
  EXPECT_LE(bounded_output(text, 5).size(), 5u);
}

TEST(BoundedOutput, BrokenBytesAreReplacedAndStillFit) {
  const auto cut = bounded_output(std::string(900, '\xff'), 1000);
  EXPECT_LE(cut.size(), 1000u);
  EXPECT_EQ(cut, valid_utf8(cut));
}

}  // namespace
}  // namespace botburrow::tools
