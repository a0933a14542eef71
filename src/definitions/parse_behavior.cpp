#include "definitions/parse_sections.hpp"

#include <algorithm>
#include <limits>

namespace botburrow::definitions {
namespace {

constexpr int kIntMax = std::numeric_limits<int>::max();

class BehaviorReader : SectionReader {
 public:
  using SectionReader::SectionReader;

  void interests() {
    Section section = root_.section("interests");
    out_.interests.topics = plain_texts(section.texts("topics"));
    const auto communities = section.texts("communities");
    for (const TextItem& item : communities) {
      if (item.text.starts_with("m/") && only(std::string_view(item.text).substr(2), kNameChars))
        continue;
      section.problem_at(item, "bad_format",
                         shown(*item.node) + " is not a community m/name of a-z, 0-9 and -",
                         "write m/general, for example");
    }
    out_.interests.communities = plain_texts(communities);
    out_.interests.keywords = plain_texts(section.texts("keywords"));
    out_.interests.follow_agents = plain_texts(section.texts("follow_agents"));
    finish(section);
  }

  void behavior() {
    Section section = root_.section("behavior");
    Section alias = section.section("notifications");
    Behavior& out = out_.behavior;
    const auto either = [&](std::string_view key) {
      const auto direct = section.flag(key);
      const auto other = alias.flag(key);
      return direct ? *direct : other.value_or(true);
    };
    out.respond_to_mentions = either("respond_to_mentions");
    out.respond_to_replies = either("respond_to_replies");
    out.respond_to_dms = either("respond_to_dms");
    finish(alias);
    max_iterations(section);
    out.can_create_posts = section.flag("can_create_posts").value_or(true);
    discovery(section);
    limits(section);
    finish(section);
  }

  void memory() {
    static const std::vector<std::string> kStrategies{"embedding_search", "keyword", "recent"};
    Section section = root_.section("memory");
    Memory& out = out_.memory;
    out.enabled = section.flag("enabled").value_or(false);
    Section remember = section.section("remember");
    out.conversations_with = plain_texts(remember.texts("conversations_with"));
    out.projects_worked_on = remember.flag("projects_worked_on").value_or(false);
    out.decisions_made = remember.flag("decisions_made").value_or(false);
    out.feedback_received = remember.flag("feedback_received").value_or(false);
    finish(remember);
    if (const auto value = section.integer("max_size_mb", {1, 1000}))
      out.max_size_mb = static_cast<int>(*value);
    Section retrieval = section.section("retrieval");
    if (const auto place = retrieval.choice("strategy", kStrategies)) {
      out.strategy = static_cast<RetrievalStrategy>(*place);
    }
    if (const auto value = retrieval.integer("max_context_items", {1, 100})) {
      out.max_context_items = static_cast<int>(*value);
    }
    out.relevance_threshold =
        retrieval.number("relevance_threshold", {0, 1}).value_or(out.relevance_threshold);
    finish(retrieval);
    finish(section);
  }

 private:
  void max_iterations(Section& section) {
    constexpr std::int64_t kMost = 50;
    const auto given = section.any_integer("max_iterations", "1..50");
    if (!given) return;
    if (*given < 1) {
      section.problem("max_iterations", Severity::error, "out_of_range",
                      shown(*section.get("max_iterations")) + " is not a whole number 1..50",
                      "write a whole number 1..50");
      return;
    }
    if (*given > kMost) {
      section.problem(
          "max_iterations", Severity::warning, "out_of_range",
          fmt::format("{} is more than 50, taken as 50", shown(*section.get("max_iterations"))),
          "write 50 or less");
    }
    out_.behavior.max_iterations = static_cast<int>(std::min(*given, kMost));
    out_.behavior.max_iterations_given = true;
  }

  void discovery(Section& behavior) {
    static const std::vector<std::string> kFrequencies{"staleness", "hourly", "daily"};
    Section section = behavior.section("discovery");
    Discovery& out = out_.behavior.discovery;
    out.enabled = section.flag("enabled").value_or(false);
    if (const auto place = section.choice("frequency", kFrequencies)) {
      out.frequency = static_cast<DiscoveryFrequency>(*place);
    }
    out.respond_to_questions = section.flag("respond_to_questions").value_or(false);
    out.respond_to_discussions = section.flag("respond_to_discussions").value_or(false);
    out.min_confidence = section.number("min_confidence", {0, 1}).value_or(out.min_confidence);
    finish(section);
  }

  void limits(Section& behavior) {
    Limits& out = out_.behavior.limits;
    Section section = behavior.section("limits");
    const auto read = [](Section& from, std::string_view key, int& into) {
      const auto value = from.integer(key, {0, kIntMax});
      if (value) into = static_cast<int>(*value);
      return value.has_value();
    };
    // The older place counts only where the newer says nothing.
    int old_posts = out.max_daily_posts;
    int old_comments = out.max_daily_comments;
    read(behavior, "max_daily_posts", old_posts);
    read(behavior, "max_daily_comments", old_comments);
    if (!read(section, "max_daily_posts", out.max_daily_posts)) out.max_daily_posts = old_posts;
    if (!read(section, "max_daily_comments", out.max_daily_comments))
      out.max_daily_comments = old_comments;
    read(section, "max_responses_per_thread", out.max_responses_per_thread);
    read(section, "min_interval_seconds", out.min_interval_seconds);
    finish(section);
  }
};

}  // namespace

void read_behavior(const Reading& reading) {
  BehaviorReader reader(reading);
  reader.interests();
  reader.behavior();
  reader.memory();
}

}  // namespace botburrow::definitions
