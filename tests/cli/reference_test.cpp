// docs/operations/metrics.md and events.md are what the program prints, and what it prints is what
// the sources do.
#include "base/json.hpp"
#include "base/metric_table.hpp"
#include "cli/reference/events.hpp"
#include "run_program.hpp"
#include "tests/base/source_tree.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

namespace botburrow::cli {
namespace {

using test::text_of;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kTables[] = {"src/cli/reference/", "src/base/metric_table.cpp",
                                        "src/base/metric_rows_hub.cpp"};

std::vector<std::filesystem::path> sources() {
  std::vector<std::filesystem::path> files;
  for (const auto& file : test::files_below("src")) {
    const auto name = test::name_of(file);
    const bool table =
        std::ranges::any_of(kTables, [&](auto prefix) { return name.starts_with(prefix); });
    if (!table && (file.extension() == ".cpp" || file.extension() == ".hpp")) files.push_back(file);
  }
  return files;
}

/// What stands between the parentheses that open at `at`, strings and nesting respected.
std::string_view inside(std::string_view text, std::size_t at) {
  int depth = 0;
  bool quoted = false;
  for (auto i = at; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && text[i] == '(')
      ++depth;
    else if (!quoted && text[i] == ')' && --depth == 0)
      return text.substr(at + 1, i - at - 1);
  }
  return {};
}

std::set<std::string> matches(std::string_view text, const std::regex& form) {
  std::set<std::string> out;
  for (std::cregex_iterator match(text.data(), text.data() + text.size(), form), end; match != end;
       ++match)
    out.insert((*match)[1]);
  return out;
}

struct Logged {
  std::set<std::string> levels, fields;
};

/// Every call such as log.info("name", {{"field", …}}), also where a condition chooses the name.
std::map<std::string, Logged> logged_events() {
  static const std::regex name("\"([a-z_]+)\"");
  static const std::regex field(R"re((?:\{|LogField::raw\()\s*"([a-z_]+)",)re");
  std::map<std::string, Logged> events;
  for (const auto& file : sources()) {
    const auto text = text_of(file);
    for (const std::string_view level : {"debug", "info", "warning", "error"}) {
      const auto call = std::string(level) + "(";
      for (auto at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
        if (at == 0 || (text[at - 1] != '.' && text[at - 1] != '>')) continue;
        const auto arguments = inside(text, at + level.size());
        for (const auto& event : matches(arguments.substr(0, arguments.find('{')), name)) {
          events[event].levels.emplace(level);
          events[event].fields.merge(matches(arguments, field));
        }
      }
    }
  }
  return events;
}

std::set<std::string> words_of(std::string_view list) {
  return matches(list, std::regex("([a-z_]+)"));
}

/// Names that a variable holds where they are logged: their levels and fields are the table's word.
const std::set<std::string> kChosenElsewhere = {
    "work_enqueued",    "work_upgraded",           "duplicate_work_skipped", "agent_in_backoff",
    "agent_paused",     "stale_leader_refused",    "setting_conflict",       "setting_unknown",
    "setting_adjusted", "long_poll_notifications", "poll_notifications",     "poll_stale",
    "sandbox_probed"};

TEST(EventTable, HasEveryEventThatTheSourcesLogWithItsLevelsAndFields) {
  for (const auto& [name, logged] : logged_events()) {
    const auto* spec = find_event(name);
    ASSERT_NE(spec, nullptr) << name << " is logged and not in the table; add what it means";
    EXPECT_EQ(words_of(spec->levels), logged.levels) << name;
    EXPECT_EQ(words_of(spec->fields), logged.fields) << name;
  }
}

TEST(EventTable, HasNothingThatNobodyLogs) {
  const auto logged = logged_events();
  std::string everything;
  for (const auto& file : sources())
    everything += text_of(file);
  std::set<std::string> seen;
  for (const auto& section : event_sections()) {
    for (const auto& event : section.events) {
      const std::string name(event.name);
      EXPECT_TRUE(seen.insert(name).second) << name << " stands twice in the table";
      EXPECT_FALSE(event.meaning.empty()) << name;
      EXPECT_NE(logged.contains(name), kChosenElsewhere.contains(name)) << name;
      EXPECT_NE(everything.find('"' + name + '"'), std::string::npos) << name;
    }
  }
}

TEST(MetricTable, IsTheOnlyPlaceThatDeclaresMetrics) {
  static const std::regex used(
      R"re((?:series_of|histogram_of|leader_gauge)\([^"()]*"([a-z_]+)")re");
  static const std::regex by_hand(
      R"re((?:\.|->)(?:counter|gauge|untyped|histogram)\(\s*"([a-z_]+)")re");
  std::set<std::string> names;
  for (const auto& file : sources()) {
    const auto text = text_of(file);
    names.merge(matches(text, used));
    EXPECT_THAT(matches(text, by_hand), IsEmpty())
        << test::name_of(file) << ": declare it in src/base/metric_table.cpp";
  }
  for (const auto& name : names)
    EXPECT_NE(find_metric(name), nullptr) << name << " is not in src/base/metric_table.cpp";
  for (const auto& section : metric_sections())
    for (const auto& spec : section.metrics)
      EXPECT_TRUE(names.contains(std::string(spec.name))) << spec.name << " is given no value";
}

TEST(MetricTable, IsWellFormed) {
  std::set<std::string_view> seen;
  for (const auto& section : metric_sections()) {
    for (const auto& spec : section.metrics) {
      EXPECT_TRUE(seen.insert(spec.name).second) << spec.name << " stands twice in the table";
      EXPECT_FALSE(spec.help.empty()) << spec.name;
      EXPECT_EQ(spec.kind == MetricKind::histogram, !spec.bounds.empty()) << spec.name;
      EXPECT_EQ(spec.kind == MetricKind::counter, spec.name.ends_with("_total")) << spec.name;
      EXPECT_TRUE(spec.services == "all" || is_exposed_by(spec, "coordinator") ||
                  is_exposed_by(spec, "runner") || is_exposed_by(spec, "hub"))
          << spec.name;
      constexpr std::string_view kAlias = "alias of ";
      if (spec.help.starts_with(kAlias))
        EXPECT_NE(find_metric(spec.help.substr(kAlias.size())), nullptr) << spec.name;
    }
  }
}

TEST(MetricTable, AServiceExposesItsNamesFromTheStart) {
  Metrics metrics;
  declare_metrics(metrics, "hub");
  const auto text = metrics.expose();
  EXPECT_THAT(text, HasSubstr("# TYPE http_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE botburrow_build_info gauge\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("botburrow_activations_total")));
}

TEST(Reference, TheDocumentsAreWhatTheProgramPrints) {
  EXPECT_TRUE(text_of(test::source_root() / "docs/operations/metrics.md") == metrics_markdown())
      << "write it with: botburrow reference metrics --markdown > docs/operations/metrics.md";
  EXPECT_TRUE(text_of(test::source_root() / "docs/operations/events.md") == events_markdown())
      << "write it with: botburrow reference events --markdown > docs/operations/events.md";
  EXPECT_TRUE(run_program({.arguments = {"reference", "metrics", "--markdown"}}).out ==
              metrics_markdown());
  EXPECT_TRUE(run_program({.arguments = {"reference", "events", "--markdown"}}).out ==
              events_markdown());
}

TEST(Reference, ExplainsOne) {
  const auto metric = run_program({.arguments = {"reference", "metrics", "botburrow_redis_up"}});
  EXPECT_EQ(metric.exit_code, 0);
  EXPECT_THAT(metric.out, HasSubstr("1 while Redis answers."));
  EXPECT_THAT(metric.out, testing::Not(HasSubstr("botburrow_runners_active")));
  const auto event =
      run_program({.arguments = {"reference", "events", "agent_circuit_breaker", "--json"}});
  EXPECT_EQ(event.exit_code, 0);
  const auto list = parse_json(event.out, "answer").at("events").as_array();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].at("levels"), "warning");
}

TEST(Reference, AnUnknownNameIsAUsageError) {
  for (const auto* table : {"metrics", "events"}) {
    const auto ran = run_program({.arguments = {"reference", table, "no_such"}});
    EXPECT_EQ(ran.exit_code, 64) << table;
    EXPECT_THAT(ran.err, HasSubstr("\"no_such\"; `botburrow reference " + std::string(table)));
  }
}

}  // namespace
}  // namespace botburrow::cli
