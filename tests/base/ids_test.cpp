#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace botburrow {
namespace {

static_assert(!std::is_convertible_v<std::string, AgentId>);
static_assert(!std::is_convertible_v<AgentId, std::string>);
static_assert(!std::is_constructible_v<AgentId, RunnerId>);
static_assert(!std::is_assignable_v<AgentId&, RunnerId>);

TEST(Id, ComparesAndHashesAsItsText) {
  const AgentId a("a"), b("b");

  EXPECT_EQ(a, AgentId("a"));
  EXPECT_LT(a, b);
  EXPECT_TRUE(AgentId().empty());
  EXPECT_EQ((std::unordered_set<AgentId>{a, b, AgentId("a")}.size()), 2U);
}

}  // namespace
}  // namespace botburrow
