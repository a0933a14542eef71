// The guide and the command's edges; faults of whole systems are injected in tests/e2e.
#include "base/json.hpp"
#include "cli/doctor/check.hpp"
#include "run_program.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace botburrow::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string text_of(const std::string& path) {
  std::ifstream file(BOTBURROW_SOURCE_DIR "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
std::string guide() {
  return text_of("docs/operations/troubleshooting.md");
}

TEST(DoctorGuide, HasEveryCheckOnceWithCauseAndCureAndNothingElse) {
  static const std::regex form("(?:^|\n)### `([a-z_.]+)`\n");
  const auto text = guide();
  std::multiset<std::string> listed;
  for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at)
    listed.insert((*at)[1]);
  std::set<std::string> ids;
  for (const auto& check : doctor::all_checks()) {
    const std::string id(check.id);
    ids.insert(id);
    ASSERT_EQ(listed.count(id), 1u) << id;
    const auto begin = text.find("### `" + id + "`\n");
    const auto section = text.substr(begin, text.find("\n#", begin) - begin);
    EXPECT_THAT(section, HasSubstr(std::string(check.title))) << id;
    EXPECT_THAT(section, HasSubstr("**Cause.**")) << id;
    EXPECT_THAT(section, HasSubstr("**Cure.**")) << id;
  }
  for (const auto& id : listed)
    EXPECT_TRUE(ids.contains(id)) << id << " is no check";
}

TEST(DoctorGuide, EveryFaultIsInjectedIntoARealSystem) {
  const auto tests =
      text_of("tests/e2e/doctor_test.cpp") + text_of("tests/e2e/doctor_faults_test.cpp");
  // It only reports; and no server older than 6.2 is to be had.
  const std::set<std::string> by_rules_alone = {"hub.staleness", "redis.version"};
  for (const auto& check : doctor::all_checks()) {
    const std::string id(check.id);
    const bool injected = tests.find('"' + id + '"') != std::string::npos;
    EXPECT_NE(injected, by_rules_alone.contains(id)) << id;
  }
}

class DoctorCommand : public testing::Test {
 protected:
  Ran run(std::vector<std::string> words, std::map<std::string, std::string> environment = {}) {
    words.insert(words.begin(), "doctor");
    environment["HOME"] = folder_.path();
    return run_program({.arguments = std::move(words), .environment = std::move(environment)});
  }
  std::vector<std::string> faults(const Ran& ran) {
    std::vector<std::string> ids;
    const auto document = parse_json(ran.out, "doctor");
    for (const auto& check : array_field(document, "checks"))
      if (string_field(check, "result") == "fail") ids.push_back(*string_field(check, "id"));
    return ids;
  }
  ScratchFolder folder_;
};

TEST_F(DoctorCommand, SaysWhereNothingRuns) {
  const Ran ran = run({"--data", folder_.path(), "--json"});
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(faults(ran), std::vector<std::string>{"system.running"});
}

TEST_F(DoctorCommand, UpThatWasStoppedIsNamedAndNothingElse) {
  const auto data = folder_.path() + "/.local/state/botburrow";
  std::filesystem::create_directories(data);
  std::ofstream(data + "/hub.db") << "a Hub lived here";
  const Ran ran = run({"--json"});
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_EQ(faults(ran), std::vector<std::string>{"system.running"});
  EXPECT_THAT(ran.out, HasSubstr("start it with `botburrow up`"));
  // Who names services apart does not mean it.
  const Ran apart = run({"--json"}, {{"HUB_URL", "http://127.0.0.1:1"}});
  EXPECT_THAT(faults(apart), Not(testing::Contains("system.running")));
}

TEST_F(DoctorCommand, WrongSettingIsAFaultThatItNames) {
  const Ran ran =
      run({"--json"}, {{"REDIS_URL", "valkey:6379"}, {"HUB_URL", "http://127.0.0.1:1"}});
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_EQ(faults(ran), std::vector<std::string>{"settings.valid"});
  EXPECT_THAT(ran.out, HasSubstr("missing scheme"));
}

TEST_F(DoctorCommand, WrongUsageEndsWith64) {
  EXPECT_EQ(run({"--nonsense"}).exit_code, 64);
  EXPECT_EQ(run({"word"}).exit_code, 64);
}

TEST_F(DoctorCommand, PeopleReadALineACheckWithCauseAndCure) {
  const Ran ran = run({"--data", folder_.path()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.out, HasSubstr("fail system.running"));
  EXPECT_THAT(ran.out, HasSubstr("     cause: "));
  EXPECT_THAT(ran.out, HasSubstr("     cure:  "));
  EXPECT_THAT(ran.out, HasSubstr("1 faults"));
}

}  // namespace
}  // namespace botburrow::cli
