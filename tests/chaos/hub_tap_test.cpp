#include "tests/chaos/hub_tap.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace botburrow::chaos {
namespace {

using test::Way;

std::string comment(const std::string& agent, const std::string& fence) {
  const auto body = fmt::format(R"({{"agent_id":"{}","content":"hello"}})", agent);
  return fmt::format(
      "POST /api/v1/posts/p1/comments HTTP/1.1\r\nHost: h\r\n{}Content-Length: {}\r\n\r\n{}",
      fence.empty() ? "" : "Botburrow-Fence: " + fence + "\r\n", body.size(), body);
}

std::string answer(int status) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Length: 2\r\n\r\n{{}}", status);
}

/// Each exchange on a connection of its own.
struct Wire {
  HubTap tap;
  std::size_t links = 0;

  std::size_t ask(const std::string& bytes) {
    tap.see(1, ++links, Way::forth, bytes);
    return links;
  }
  void say(std::size_t link, int status) { tap.see(1, link, Way::back, answer(status)); }
  void exchange(const std::string& bytes, int status) { say(ask(bytes), status); }
};

TEST(HubTap, OlderFenceThatIsAcceptedAfterANewerIsStale) {
  Wire wire;
  wire.exchange(comment("anna", "1.7"), 201);
  wire.exchange(comment("bert", "1.6"), 201);
  EXPECT_EQ(wire.tap.verdict().stale_accepted, 0) << "fences are compared for each agent";
  wire.exchange(comment("anna", "1.6"), 200);
  EXPECT_EQ(wire.tap.verdict().stale_accepted, 1);
  EXPECT_EQ(wire.tap.verdict().writes, 3);
  EXPECT_EQ(wire.tap.verdict().complaints.size(), 1u);
}
TEST(HubTap, OlderFenceThatIsRefusedIsWellDone) {
  Wire wire;
  wire.exchange(comment("anna", "2.1"), 201);
  wire.exchange(comment("anna", "1.9"), 412);
  EXPECT_EQ(wire.tap.verdict().refused_stale, 1);
  EXPECT_TRUE(wire.tap.verdict().complaints.empty());
}
TEST(HubTap, OlderFenceThatWasUnderWayAlreadyIsNoCase) {
  Wire wire;
  const auto older = wire.ask(comment("anna", "1.6"));
  wire.exchange(comment("anna", "1.7"), 201);
  wire.say(older, 201);
  EXPECT_EQ(wire.tap.verdict().stale_accepted, 0) << "the Hub may have taken it first";
}
TEST(HubTap, WriteWithoutFenceIsAComplaint) {
  Wire wire;
  wire.exchange(comment("anna", ""), 401);
  EXPECT_EQ(wire.tap.verdict().unfenced, 0);
  wire.exchange(comment("anna", ""), 201);
  EXPECT_EQ(wire.tap.verdict().unfenced, 1);
  EXPECT_FALSE(wire.tap.verdict().complaints.empty());
}
TEST(HubTap, ReadsAreNoWrites) {
  Wire wire;
  wire.exchange("GET /api/v1/posts/p1?agent_id=anna HTTP/1.1\r\nHost: h\r\n\r\n", 200);
  wire.exchange("POST /api/v1/agents/anna/activated HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 200);
  EXPECT_EQ(wire.tap.verdict().writes, 0);
  EXPECT_TRUE(wire.tap.verdict().complaints.empty());
}
TEST(HubTap, PiecesOfAnySizeAreReadAlike) {
  Wire wire;
  const auto bytes = comment("anna", "1.7") + comment("anna", "1.6");
  for (const char byte : bytes)
    wire.tap.see(1, 9, Way::forth, {&byte, 1});
  for (const char byte : answer(201) + answer(201))
    wire.tap.see(1, 9, Way::back, {&byte, 1});
  EXPECT_EQ(wire.tap.verdict().writes, 2) << "two requests on one connection";
  EXPECT_EQ(wire.tap.verdict().stale_accepted, 0)
      << "both were asked before the first was answered";
}
TEST(HubTap, AnswerWithoutBodyEndsWithItsHead) {
  Wire wire;
  const auto link = wire.ask(comment("anna", "1.7"));
  wire.tap.see(1, link, Way::back, "HTTP/1.1 204 No Content\r\n\r\n");
  wire.tap.see(1, link, Way::forth, comment("anna", "1.6"));
  wire.say(link, 201);
  EXPECT_EQ(wire.tap.verdict().stale_accepted, 1);
}

}  // namespace
}  // namespace botburrow::chaos
