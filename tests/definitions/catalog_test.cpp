#include "definitions/catalog.hpp"

#include "tests/definitions/support_files.hpp"
#include "tests/support/run_task.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>
#include <mutex>

namespace botburrow::definitions {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class KeptLines final : public LogSink {
 public:
  void write(LogLevel, std::string_view line) override {
    const std::lock_guard lock(mutex_);
    lines_ += std::string(line) + "\n";
  }
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::string lines_;
};

class Catalog : public testing::Test {
 protected:
  Catalog() { restart(); }

  void restart(bool keep = true) {
    catalog_ = std::make_unique<DefinitionCatalog>(
        source_, pool_,
        DefinitionCatalog::Options{.keep_dir = keep ? folder_.path("kept") : std::string()},
        Log(log_, {.level = LogLevel::debug}), metrics_);
  }
  DefinitionCatalog::Entry get(const std::string& name) {
    return test::run_task(ioc_, catalog_->get(name));
  }
  std::string error_of(const std::string& name, errc code) {
    try {
      get(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.message();
      return error.message();
    }
    ADD_FAILURE() << name << " was given";
    return {};
  }

  TemporaryFolder folder_;
  FolderSource source_{folder_.path("definitions")};
  boost::asio::io_context ioc_;
  BlockingPool pool_{2};
  Metrics metrics_;
  std::shared_ptr<KeptLines> log_ = std::make_shared<KeptLines>();
  std::unique_ptr<DefinitionCatalog> catalog_;
};

TEST_F(Catalog, AnEditIsSeenAtTheNextGetAndAnUnchangedFileIsNotReadAgain) {
  folder_.write_agent("abe", "display_name: one\n", "definitions/");
  const auto first = get("abe");
  const auto again = get("abe");
  EXPECT_EQ(first.definition, again.definition);

  folder_.write_agent("abe", "display_name: two\n", "definitions/");
  const auto second = get("abe");
  EXPECT_EQ(first.definition->display_name, "one");  // a running activation keeps its snapshot
  EXPECT_EQ(second.definition->display_name, "two");
  EXPECT_EQ(catalog_->find_known("abe"), second.definition);
  EXPECT_THAT(metrics_.expose(), HasSubstr("botburrow_config_cache_total{result=\"hit\"} 1"));
  EXPECT_THAT(metrics_.expose(), HasSubstr("botburrow_config_cache_total{result=\"miss\"} 2"));
}

TEST_F(Catalog, ABrokenFileLeavesTheLastGoodVersionAndSaysWhere) {
  folder_.write_agent("abe", "display_name: good\n", "definitions/");
  get("abe");
  log_->take();
  folder_.write_agent("abe", "behavior: {max_iterations: lots}\n", "definitions/");

  const auto entry = get("abe");
  EXPECT_TRUE(entry.last_good);
  EXPECT_EQ(entry.definition->display_name, "good");
  EXPECT_THAT(to_text(entry.problems.at(0)),
              HasSubstr("agents/abe/config.yaml:5:28 behavior.max_iterations"));
  EXPECT_THAT(log_->take(), HasSubstr("\"agent_config_invalid\""));
  EXPECT_THAT(metrics_.expose(), HasSubstr("botburrow_definition_errors{agent_id=\"abe\"} 1"));

  get("abe");
  EXPECT_THAT(log_->take(), Not(HasSubstr("agent_config_invalid")));  // one failure, one line

  folder_.write_agent("abe", "display_name: better\n", "definitions/");
  EXPECT_EQ(get("abe").definition->display_name, "better");
  EXPECT_THAT(log_->take(), HasSubstr("agent_config_recovered"));
  EXPECT_THAT(metrics_.expose(), Not(HasSubstr("botburrow_definition_errors{")));
  EXPECT_THAT(catalog_->problems(), IsEmpty());
}

TEST_F(Catalog, ARestartWithABrokenFileUsesTheKeptVersion) {
  folder_.write_agent("abe", "display_name: good\n", "definitions/");
  get("abe");
  folder_.write("definitions/agents/abe/config.yaml", "name: [");
  restart();

  const auto entry = get("abe");
  EXPECT_TRUE(entry.last_good);
  EXPECT_EQ(entry.definition->display_name, "good");

  restart(false);
  EXPECT_THAT(error_of("abe", errc::definition_invalid), HasSubstr("Agent config invalid: "));
  EXPECT_THAT(error_of("abe", errc::definition_invalid), HasSubstr("agents/abe/config.yaml:1:"));
}

TEST_F(Catalog, ADamagedKeptFileIsNoVersion) {
  folder_.write_agent("abe", "display_name: good\n", "definitions/");
  get("abe");
  folder_.write("kept/abe.json", "{\"name\":\"abe\",");
  folder_.write("definitions/agents/abe/config.yaml", "");
  restart();
  error_of("abe", errc::definition_invalid);
}

TEST_F(Catalog, AFolderThatIsGoneIsGoneButAnAbsentSourceIsNot) {
  folder_.write_agent("abe", {}, "definitions/");
  folder_.write_agent("zoe", {}, "definitions/");
  get("abe");
  get("zoe");
  folder_.remove("definitions/agents/abe");
  EXPECT_THAT(error_of("abe", errc::definition_not_found), HasSubstr("Agent config not found: "));
  EXPECT_EQ(catalog_->find_known("abe"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(folder_.path("kept/abe.json")));

  folder_.remove("definitions");
  EXPECT_TRUE(get("zoe").last_good);
  restart();
  EXPECT_TRUE(get("zoe").last_good);
  EXPECT_THAT(test::run_task(ioc_, catalog_->list()), ElementsAre("zoe"));
  EXPECT_THAT(error_of("abe", errc::io), HasSubstr("Agent config not found: "));

  folder_.write_agent("zoe", "display_name: back\n", "definitions/");
  EXPECT_EQ(get("zoe").definition->display_name, "back");
}

TEST_F(Catalog, OneBadAgentHidesNoOther) {
  folder_.write_agent("abe", {}, "definitions/");
  folder_.write("definitions/agents/bad/config.yaml", "name: [");
  folder_.write_agent("zoe", {}, "definitions/");

  std::vector<std::string> names;
  for (const auto& entry : test::run_task(ioc_, catalog_->load_all()))
    names.push_back(entry.definition->name);
  EXPECT_THAT(names, ElementsAre("abe", "zoe"));
  EXPECT_THAT(test::run_task(ioc_, catalog_->list()), ElementsAre("abe", "bad", "zoe"));
  EXPECT_EQ(catalog_->problems().count("bad"), 1u);
}

TEST_F(Catalog, UnknownKeysAreLoggedByName) {
  folder_.write_agent("abe", "behaviour: {}\n", "definitions/");
  get("abe");
  EXPECT_THAT(log_->take(), HasSubstr("agent_config_unknown_key"));
}

TEST_F(Catalog, AFolderThatIsNoAgentIsNamedOnceUntilItChanges) {
  folder_.write_agent("abe", "", "definitions/");
  folder_.write("definitions/agents/A-One/config.yaml", "x");
  test::run_task(ioc_, catalog_->list());
  EXPECT_THAT(log_->take(), Not(HasSubstr("agent_folder_ignored")));
  EXPECT_EQ(catalog_->ignored().size(), 1u);

  test::run_task(ioc_, catalog_->load_all());
  EXPECT_THAT(log_->take(), AllOf(HasSubstr("agent_folder_ignored"), HasSubstr("A-One"),
                                  HasSubstr("rename it to a-one")));
  test::run_task(ioc_, catalog_->load_all());
  EXPECT_THAT(log_->take(), Not(HasSubstr("agent_folder_ignored")));

  folder_.write("definitions/agents/b_two/config.yaml", "x");
  test::run_task(ioc_, catalog_->list());
  EXPECT_THAT(log_->take(), AllOf(HasSubstr("b_two"), Not(HasSubstr("A-One"))));
}

TEST_F(Catalog, UnsafeNamesAreNotFound) {
  EXPECT_THAT(error_of("../kept/abe", errc::definition_not_found),
              HasSubstr("Agent config not found: "));
}

TEST_F(Catalog, InvalidateMakesTheNextGetRead) {
  folder_.write_agent("abe", {}, "definitions/");
  const auto first = get("abe");
  catalog_->invalidate("zoe");
  EXPECT_EQ(get("abe").definition, first.definition);
  catalog_->invalidate("abe");
  const auto second = get("abe");
  EXPECT_NE(second.definition, first.definition);
  catalog_->invalidate();
  EXPECT_NE(get("abe").definition, second.definition);
}

/// A source without fingerprints, as one across a network.
class CountingSource final : public DefinitionSource {
 public:
  std::vector<std::string> list_agents() const override { return {"abe"}; }
  Loaded load(const std::string& name) const override {
    ++loads;
    if (before_answer) before_answer();
    AgentDefinition definition;
    definition.name = name;
    definition.type = ExecutorType::native;
    definition.type_name = "native";
    return {.definition = definition};
  }
  std::optional<std::string> fingerprint(const std::string&) const override { return std::nullopt; }
  std::vector<std::string> list_skills() const override { return {}; }
  std::optional<ParsedSkill> load_skill(const std::string&) const override { return std::nullopt; }
  std::string describe() const override { return "counting"; }

  mutable int loads = 0;
  std::function<void()> before_answer;
};

TEST_F(Catalog, WithoutFingerprintsTheTimeToLiveDecides) {
  CountingSource source;
  DefinitionCatalog catalog(source, pool_, {}, Log::none(), metrics_);
  test::run_task(ioc_, catalog.get("abe"));
  test::run_task(ioc_, catalog.get("abe"));
  EXPECT_EQ(source.loads, 1);
}

TEST_F(Catalog, AReadUnderWayDuringAnInvalidationDoesNotCount) {
  CountingSource source;
  DefinitionCatalog catalog(source, pool_, {}, Log::none(), metrics_);
  // The io thread waits for the pool here, so that this cannot race.
  source.before_answer = [&] { catalog.invalidate("abe"); };
  test::run_task(ioc_, catalog.get("abe"));
  source.before_answer = {};
  test::run_task(ioc_, catalog.get("abe"));
  EXPECT_EQ(source.loads, 2);
}

}  // namespace
}  // namespace botburrow::definitions
