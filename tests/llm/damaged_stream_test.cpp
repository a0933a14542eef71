// Streams that a stranger damaged: readers may refuse them, but only by Error.
#include "base/random.hpp"
#include "tests/llm/samples.hpp"
#include "tests/support/llm_simulator_wire.hpp"

#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

using test::LlmSimulator;

std::string stream_of(LlmSimulator::Protocol protocol) {
  LlmSimulator::Request request{
      .protocol = protocol,
      .body = parsed(R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})")};
  auto answer = LlmSimulator::Answer::call("hub_search", parsed(R"({"q":"caf\u00e9"})"));
  answer.text = "text \xf0\x9f\x90\xa6";
  std::string out;
  for (const auto& piece : test::render(request, answer, 1))
    out += piece;
  return out;
}

void damage(std::string& text, Random& random) {
  const auto at = random.next() % text.size();
  switch (random.next() % 4) {
    case 0:
      text[at] = static_cast<char>(random.next());
      break;
    case 1:
      text.erase(at, random.next() % 40);
      break;
    case 2:
      text.insert(at, text.substr(random.next() % text.size(), random.next() % 60));
      break;
    default:
      text.resize(at + 1);
  }
}

TEST(DamagedStreams, AreReadOrRefused) {
  const auto request = after_one_call();
  const std::vector<
      std::pair<LlmSimulator::Protocol, std::unique_ptr<Protocol> (*)(const ProviderConfig&)>>
      vendors{{LlmSimulator::Protocol::anthropic, anthropic_protocol},
              {LlmSimulator::Protocol::openai, openai_protocol},
              {LlmSimulator::Protocol::ollama, ollama_protocol}};
  SeededRandom random(20260207);
  int whole = 0, refused = 0;
  for (const auto& [protocol, make] : vendors) {
    const auto vendor = make(config_for(Api::openai, "x", "http://x"));
    const auto stream = stream_of(protocol);
    for (int i = 0; i < 3'000; ++i) {
      auto damaged = stream;
      for (auto times = 1 + random.next() % 3; times > 0; --times)
        damage(damaged, random);
      try {
        read_cut(*vendor, request, damaged, random.next() % (damaged.size() + 1));
        ++whole;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(whole, 100);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace botburrow::llm
