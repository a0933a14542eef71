#include "base/scrubber.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "tests/support/log_lines.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <thread>

namespace botburrow {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSecret = "p@ss/w0rd?\"quoted\" \\ & more";
const std::string kMark(Scrubber::kMark);

class ScrubberTest : public ::testing::Test {
 protected:
  ScrubberTest() { scrubber.add(Secret(kSecret)); }
  Scrubber scrubber;
};

TEST_F(ScrubberTest, TakesTheValueOutWhereverItStands) {
  EXPECT_EQ(scrubber.scrub("a " + kSecret + " b " + kSecret), "a " + kMark + " b " + kMark);
  EXPECT_EQ(scrubber.scrub(kSecret), kMark);
  EXPECT_EQ(scrubber.scrub(kSecret + kSecret), kMark + kMark);
  EXPECT_EQ(scrubber.scrub("nothing in here"), "nothing in here");
  EXPECT_EQ(scrubber.scrub(""), "");
  EXPECT_EQ(scrubber.scrub("x"), "x");
  EXPECT_EQ(scrubber.scrub(kSecret.substr(0, kSecret.size() - 1)),
            kSecret.substr(0, kSecret.size() - 1));
}

TEST_F(ScrubberTest, KnowsItInJson) {
  const auto line = to_json(json::object{{"error", "refused: " + kSecret + "!"}});
  EXPECT_EQ(scrubber.scrub(line), R"({"error":"refused: )" + kMark + R"(!"})");
}

TEST_F(ScrubberTest, KnowsItInHexadecimal) {
  auto hex = to_hex("user:" + kSecret);
  EXPECT_EQ(scrubber.scrub(hex), to_hex("user:") + kMark);
  std::ranges::transform(hex, hex.begin(), [](char c) { return std::toupper(c); });
  EXPECT_THAT(scrubber.scrub(hex), HasSubstr(kMark));
}

TEST_F(ScrubberTest, KnowsItInBase64AtEveryAlignment) {
  for (std::size_t before = 0; before < 7; ++before) {
    for (std::size_t after = 0; after < 4; ++after) {
      auto text = base64_encode(std::string(before, 'u') + kSecret + std::string(after, 'z'));
      EXPECT_THAT(scrubber.scrub(text), HasSubstr(kMark)) << before << ' ' << after;
      // At most the neighbours' bits of one character at either end stay.
      EXPECT_LE(scrubber.scrub(text).size(), kMark.size() + (before + after + 6) * 4 / 3);
      std::ranges::replace(text, '+', '-');
      std::ranges::replace(text, '/', '_');
      std::erase(text, '=');
      EXPECT_THAT(scrubber.scrub(text), HasSubstr(kMark)) << before << ' ' << after;
    }
  }
}

TEST_F(ScrubberTest, KnowsItInAUrl) {
  EXPECT_EQ(scrubber.scrub("redis://u:p%40ss%2Fw0rd%3F%22quoted%22%20%5C%20%26%20more@h"),
            "redis://u:" + kMark + "@h");
  EXPECT_EQ(scrubber.scrub("k=p%40ss%2fw0rd%3f%22quoted%22%20%5c%20%26%20more&x"),
            "k=" + kMark + "&x");
  EXPECT_EQ(scrubber.scrub("k=p%40ss%2Fw0rd%3F%22quoted%22+%5C+%26+more"), "k=" + kMark);
}

TEST_F(ScrubberTest, OfTwoThatBeginAlikeTheLongerGoesWhole) {
  scrubber.add(Secret("token-0123456789"));
  scrubber.add(Secret("token-0123456789-and-more"));
  EXPECT_EQ(scrubber.scrub("<token-0123456789-and-more>"), "<" + kMark + ">");
  EXPECT_EQ(scrubber.scrub("<token-0123456789-and>"), "<" + kMark + "-and>");
}

TEST_F(ScrubberTest, AShortOneDoesNotTearUpWords) {
  scrubber.add(Secret("secret"));
  scrubber.add(Secret(""));
  EXPECT_EQ(scrubber.scrub("no secret here"), "no secret here");
}

TEST_F(ScrubberTest, KnowsKeysOfVendorsThatNobodyToldItOf) {
  const std::string rest(36, 'x');
  for (const auto& key : {"sk-" + rest, "sk-ant-" + rest, "sk-proj-a_b-" + rest, "ghp_" + rest,
                          "github_pat_" + rest, "glpat-" + rest, "botburrow_service_" + rest}) {
    EXPECT_EQ(scrubber.scrub("key=" + key + " ok"), "key=" + kMark + " ok") << key;
  }
  for (const auto* text :
       {"sk-short", "task-sk-learn", "ask-0123456789abcdefghijklmnop", "ghp_",
        "botburrow_agent_in_backoff", "botburrow_runner_heartbeat_timestamp_seconds"})
    EXPECT_EQ(scrubber.scrub(text), text);
}

TEST_F(ScrubberTest, LogLinesGoThroughIt) {
  auto known = std::make_shared<Scrubber>();
  known->add(Secret(kSecret));
  const auto lines = std::make_shared<test::LogLines>();
  const Log log(scrubbing_log_sink(lines, known), {});
  log.with({{"url", kSecret}}).error("failed", {{"error", "key " + kSecret}, {"n", 1}});
  log.info("fine", {{"text", "nothing"}});
  const auto text = lines->all();
  EXPECT_THAT(text, Not(HasSubstr("w0rd")));
  EXPECT_THAT(text, HasSubstr(R"("error":"key )" + kMark + "\""));
  EXPECT_THAT(text, HasSubstr(R"("text":"nothing")"));
}

TEST_F(ScrubberTest, LearnsManyAtOnce) {
  std::vector<Secret> keys;
  for (int number = 0; number < 1000; ++number)
    keys.emplace_back("agent-key-" + std::to_string(number) + "-0123456789abcdef");
  scrubber.add(keys);
  scrubber.add(keys);
  EXPECT_EQ(scrubber.scrub("k=agent-key-999-0123456789abcdef"), "k=" + kMark);
  EXPECT_EQ(scrubber.scrub(kSecret), kMark);
}

TEST_F(ScrubberTest, LearnsWhileOthersUseIt) {
  std::jthread learner([&](std::stop_token stop) {
    for (int number = 0; !stop.stop_requested() && number < 200; ++number)
      scrubber.add(Secret("runtime-secret-" + std::to_string(number)));
  });
  for (int round = 0; round < 200; ++round)
    EXPECT_EQ(scrubber.scrub("x " + kSecret), "x " + kMark);
  learner.join();
  EXPECT_EQ(scrubber.scrub("runtime-secret-199"), kMark);
}

TEST_F(ScrubberTest, ALongTextIsReadOnce) {
  std::string text;
  while (text.size() < (1u << 20))
    text += "p@ss/w0rd?\"quoted\" \\ & mor";
  EXPECT_EQ(scrubber.scrub(text), text);
}

}  // namespace
}  // namespace botburrow
