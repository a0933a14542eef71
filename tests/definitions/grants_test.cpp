#include "definitions/grants.hpp"

#include "tests/definitions/support_files.hpp"

#include <gmock/gmock.h>

namespace botburrow::definitions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Grants, Grammar) {
  for (const char* grant : {"hub:read", "postgres:orders:write", "aws:s3:read:bucket", "a-1:b-2"}) {
    EXPECT_FALSE(grant_fault(grant)) << grant;
  }
  for (const char* grant : {"", "hub", "hub:", ":read", "hub:*", "*", "Hub:read", "hub:re ad",
                            "a:b:c:d:e", "hub::x", "hub:read:"}) {
    EXPECT_TRUE(grant_fault(grant)) << grant;
  }
  EXPECT_TRUE(grant_fault("hub:" + std::string(1000, 'x')));
}

TEST(Grants, HoldingIsExactOrByTheGrantAbove) {
  EXPECT_TRUE(covers("hub:read", "hub:read"));
  EXPECT_TRUE(covers("postgres:read", "postgres:read:orders"));
  EXPECT_FALSE(covers("hub:read", "hub:write"));
  EXPECT_FALSE(covers("github:read", "github:write"));
  EXPECT_FALSE(covers("postgres:read:orders", "postgres:read"));
  EXPECT_FALSE(covers("hub:re", "hub:read"));
  EXPECT_FALSE(covers("aws:s3", "aws:s3:read:bucket"));
  EXPECT_FALSE(covers("aws:s3:read", "aws:s3:read:bucket"));
  EXPECT_FALSE(covers("", ""));
  EXPECT_FALSE(covers("hub:*", "hub:read"));
}

TEST(Grants, ASetAnswersForAllAndAny) {
  const GrantSet grants({"hub:read", "github:read", "hub:read"});
  EXPECT_THAT(grants.list(), ElementsAre("github:read", "hub:read"));
  EXPECT_TRUE(grants.holds("hub:read"));
  EXPECT_FALSE(grants.holds("hub:write"));
  EXPECT_TRUE(grants.holds_any({"github:write", "github:read"}));
  EXPECT_FALSE(grants.holds_any({}));
  EXPECT_FALSE(grants.holds_all({"hub:read", "hub:write"}));
  EXPECT_TRUE(grants.holds_all({}));
}

TEST(Grants, PatternsMatchSegmentsAndATrailingStarTheRest) {
  EXPECT_TRUE(matches_pattern("hub:*", "hub:read"));
  EXPECT_TRUE(matches_pattern("aws:*", "aws:s3:read:bucket"));
  EXPECT_TRUE(matches_pattern("postgres:*:write", "postgres:orders:write"));
  EXPECT_TRUE(matches_pattern("*", "hub:read"));
  EXPECT_TRUE(matches_pattern("*:read", "hub:read"));
  EXPECT_FALSE(matches_pattern("*:read", "hub:read:x"));
  EXPECT_FALSE(matches_pattern("hub:read:*", "hub:read"));
  EXPECT_FALSE(matches_pattern("hub:read", "hub:write"));
  EXPECT_FALSE(matches_pattern("hub:*", "hubb:read"));
  EXPECT_FALSE(matches_pattern("postgres:*:write", "postgres:write"));
}

constexpr std::string_view kPolicy = R"(
agents:
  coder:
    allowed_grants: ["github:*", "hub:*", "brave:search", "postgres:*"]
    denied_grants: ["aws:*", "postgres:write"]
  empty: {}
default:
  allowed_grants: [hub:read, hub:write]
  denied_grants: ["aws:*", "postgres:*"]
)";

std::vector<std::string> refused(const EffectiveGrants& effective) {
  std::vector<std::string> out;
  for (const RefusedGrant& grant : effective.refused)
    out.push_back(grant.grant + " <- " + grant.rule);
  return out;
}

TEST(GrantPolicy, LeavesWhatIsAllowedAndNotDenied) {
  const auto parsed = parse_policy(kPolicy, "permissions.yaml");
  ASSERT_THAT(parsed.problems, IsEmpty());

  const auto coder =
      effective_grants(parsed.policy, "coder",
                       {"github:write", "hub:read", "postgres:read", "postgres:write",
                        "postgres:write:orders", "aws:s3:read", "arxiv:read"});
  EXPECT_THAT(coder.granted.list(), ElementsAre("github:write", "hub:read", "postgres:read"));
  EXPECT_THAT(refused(coder),
              ElementsAre("postgres:write <- agents.coder.denied_grants: postgres:write",
                          "postgres:write:orders <- agents.coder.denied_grants: postgres:write",
                          "aws:s3:read <- agents.coder.denied_grants: aws:*",
                          "arxiv:read <- not in agents.coder.allowed_grants (permissions.yaml)"));

  // An entry of its own replaces the default, it is not merged.
  EXPECT_THAT(effective_grants(parsed.policy, "empty", {"hub:read"}).granted.list(), IsEmpty());
  const auto other = effective_grants(parsed.policy, "stranger", {"hub:write", "github:read"});
  EXPECT_THAT(other.granted.list(), ElementsAre("hub:write"));
  EXPECT_THAT(refused(other),
              ElementsAre("github:read <- not in default.allowed_grants (permissions.yaml)"));
}

TEST(GrantPolicy, RefusesAGrantThatWouldCoverADeniedOne) {
  const auto parsed = parse_policy(
      "default: {allowed_grants: ['*'], denied_grants: ['postgres:read:payroll']}", "p");
  const auto effective =
      effective_grants(parsed.policy, "x", {"postgres:read", "postgres:read:orders", "hub:read"});
  EXPECT_THAT(effective.granted.list(), ElementsAre("hub:read", "postgres:read:orders"));
  EXPECT_THAT(refused(effective),
              ElementsAre("postgres:read <- default.denied_grants: postgres:read:payroll"));
}

TEST(GrantPolicy, WithoutAnyEntryNothingIsAllowed) {
  const auto parsed = parse_policy("agents: {coder: {allowed_grants: [hub:read]}}", "p.yaml");
  const auto effective = effective_grants(parsed.policy, "other", {"hub:read"});
  EXPECT_THAT(effective.granted.list(), IsEmpty());
  EXPECT_THAT(refused(effective),
              ElementsAre("hub:read <- no entry for other and no default in p.yaml"));
}

TEST(GrantPolicy, WithoutAFileTheSettingDecides) {
  EXPECT_THAT(effective_grants(GrantPolicy::allow_all(), "x", {"aws:s3:read:b", "hub:write"})
                  .granted.list(),
              ElementsAre("aws:s3:read:b", "hub:write"));
  const auto denied = effective_grants(GrantPolicy::deny_all(), "x", {"hub:read", "hub:read"});
  EXPECT_THAT(refused(denied),
              ElementsAre("hub:read <- not in default.allowed_grants (PERMISSIONS_DEFAULT=deny)"));
}

TEST(GrantPolicy, MalformedRequestsAreRefusedWhateverThePolicy) {
  const auto effective = effective_grants(GrantPolicy::allow_all(), "x", {"*", "hub:*", "hub"});
  EXPECT_THAT(effective.granted.list(), IsEmpty());
  EXPECT_EQ(effective.refused.size(), 3u);
}

TEST(GrantPolicy, FaultsOfTheFileAreErrors) {
  const auto text_of = [](std::string_view text) {
    const auto parsed = parse_policy(text, "p.yaml");
    return parsed.problems.empty() ? std::string() : to_text(parsed.problems.front());
  };
  EXPECT_THAT(text_of("default:\n  denied_grant: [a:b]\n"),
              HasSubstr("ERROR p.yaml:2:3 default.denied_grant: unknown key"));
  EXPECT_THAT(text_of("default:\n  allowed_grants: [hub]\n"),
              HasSubstr("p.yaml:2:20 default.allowed_grants[0]: \"hub\" has no permission part"));
  EXPECT_THAT(text_of("default: {allowed_grants: ['hu*:read']}"),
              HasSubstr("has a * that is not a whole part"));
  EXPECT_THAT(text_of(""), HasSubstr("the policy is empty or not a mapping"));
  EXPECT_THAT(text_of("agents: [x]"), HasSubstr("agents: a list is not a mapping"));
}

TEST(GrantPolicy, ABrokenFileStopsInsteadOfAllowing) {
  const TemporaryFolder folder;
  EXPECT_FALSE(load_policy(folder.path("none.yaml")));
  folder.write("bad.yaml", "default: [\n");
  try {
    load_policy(folder.path("bad.yaml"));
    FAIL() << "a broken policy was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), errc::bad_input);
    EXPECT_THAT(error.message(), HasSubstr("bad.yaml:"));
  }
  folder.write("good.yaml", std::string(kPolicy));
  EXPECT_TRUE(load_policy(folder.path("good.yaml")));
}

}  // namespace
}  // namespace botburrow::definitions
