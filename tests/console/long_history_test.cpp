// Ten thousand activations, run through the queue as runners do: what the page asks costs no more
// than it did at the beginning, in bytes and in commands of Redis.
#include "console_fixture.hpp"

#include <map>

namespace botburrow::console {
namespace {

constexpr int kAgents = 100;
constexpr int kRounds = 100;
constexpr std::int64_t kPageBytesMax = 150'000;
constexpr std::int64_t kListBytesMax = 200 * 320;  // the longest page

class ConsoleLongHistory : public ConsoleTest {
 protected:
  /// Each agent is enqueued, claimed, journalled and completed, `rounds` times.
  void live(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<queue::WorkItem> items;
      for (int i = 0; i < kAgents; ++i)
        items.push_back(item(fmt::format("agent-{:02}", i)));
      run(work.enqueue(std::move(items), {.force = true}));
      auto claimed = std::optional(claim());
      while (claimed)
        claimed = end(*claimed);
    }
  }
  std::optional<queue::Claim> end(const queue::Claim& one) {
    newest = one.activation_id.str();
    write_journal(one, {{queue::JournalKind::started, {{"agent", one.item.agent_name}}}});
    queue::Completion completion{.lease = queue::ref_of(one), .outcome = queue::Outcome::success};
    completion.result.agent_id = one.item.agent_id;
    completion.result.agent_name = one.item.agent_name;
    completion.result.activation_id = one.activation_id;
    completion.result.work_id = one.work_id;
    completion.result.tokens_input = 1234;
    completion.result.cost_usd = 0.0123;
    completion.next = queue::ClaimRequest{.runner_id = RunnerId("runner-1"),
                                          .mode = queue::RunnerMode::hybrid,
                                          .activation_id = ActivationId(random.uuid4())};
    return run(work.complete(std::move(completion))).next;
  }

  struct Cost {
    std::int64_t bytes = 0, commands = 0;
    double milliseconds = 0;
  };
  std::int64_t commands_so_far() {
    const auto text = ask({"INFO", "stats"});
    const std::string name = "total_commands_processed:";
    return std::stoll(text.substr(text.find(name) + name.size()));
  }
  Cost cost_of(const std::string& path) {
    const auto begin = BootClock::now();
    const auto commands = commands_so_far();
    const auto answer = get(path);
    EXPECT_EQ(answer.status, 200) << path << answer.whole.body;
    return {.bytes = static_cast<std::int64_t>(answer.whole.body.size()),
            .commands = commands_so_far() - commands - 1,
            .milliseconds =
                std::chrono::duration<double, std::milli>(BootClock::now() - begin).count()};
  }
  /// The least of five: the console looks by itself now and then, and that is nobody's cost.
  Cost least_cost_of(const std::string& path) {
    auto least = cost_of(path);
    for (int i = 0; i < 4; ++i) {
      const auto again = cost_of(path);
      least.commands = std::min(least.commands, again.commands);
      least.milliseconds = std::min(least.milliseconds, again.milliseconds);
      least.bytes = again.bytes;
    }
    return least;
  }
  std::map<std::string, Cost> costs() {
    std::map<std::string, Cost> all;
    for (const char* path :
         {"/state", "/history", "/running", "/ended", "/ended?limit=200", "/ended?agent=agent-07",
          "/waiting", "/agents", "/agents/agent-07", "/dead", "/budgets"})
      all[path] = least_cost_of(path);
    all["/transcripts"] = least_cost_of("/transcripts/" + newest);
    return all;
  }

  std::string newest;
};

TEST_F(ConsoleLongHistory, CostsWhatAShortOneDoes) {
  live(1);
  open();
  const auto before = costs();
  live(kRounds - 1);
  const auto after = costs();
  // As the contract has it: the newest thousand results are listed, and journals of a day are kept.
  EXPECT_EQ(get("/ended").num("total"), 1000);
  EXPECT_GE(integer({"DBSIZE"}), kAgents * kRounds);
  for (const auto& [path, was] : before) {
    const auto& is = after.at(path);
    std::printf("%-24s %6lld -> %6lld bytes, %3lld -> %3lld commands, time x %.2f\n", path.c_str(),
                static_cast<long long>(was.bytes), static_cast<long long>(is.bytes),
                static_cast<long long>(was.commands), static_cast<long long>(is.commands),
                is.milliseconds / was.milliseconds);
    // Lists of what ended were shorter than a page, have grown to one, and go no further.
    const bool grows_to_a_page = path.starts_with("/ended") || path.starts_with("/agents/");
    EXPECT_LT(is.bytes, grows_to_a_page ? kListBytesMax : was.bytes * 5 / 4 + 2'000) << path;
    EXPECT_LT(is.bytes, kPageBytesMax) << path;
    EXPECT_LE(is.commands, was.commands + 10) << path;
  }
}

}  // namespace
}  // namespace botburrow::console
