#pragma once

#include "agent/activation.hpp"
#include "base/blocking_pool.hpp"
#include "base/stop.hpp"
#include "definitions/source.hpp"
#include "queue/redis_journal.hpp"
#include "tests/agent/scripted_model.hpp"
#include "tests/tools/hub_world.hpp"

#include <fstream>

namespace botburrow::agent {

using namespace std::chrono_literals;
using test::HubFront;

/// Whole activations on our Hub and a real Redis; the definitions lie in a folder, the model is
/// scripted. `ada` is registered and defined.
class ActivationWorld : public test::HubWorld {
 public:
  explicit ActivationWorld(hub::HubOptions options = quiet()) : HubWorld(std::move(options)) {
    std::filesystem::create_directories(folder / "defs/agents");
    agent("ada");
    define("ada");
  }

  void write(const std::string& name, std::string_view text) const {
    const auto file = folder / "defs" / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  /// `behavior` is YAML below `behavior:`, `rest` at the top.
  void define(const std::string& name, const std::string& behavior = "",
              const std::string& grants = "[hub:read, hub:write]", const std::string& rest = "") {
    write("agents/" + name + "/config.yaml",
          "name: " + name + "\ntype: native\nbrain: {provider: anthropic, model: m-1}\n" +
              "capabilities: {grants: " + grants + "}\n" +
              "behavior:\n  limits: {min_interval_seconds: 0}\n" + behavior + rest);
    write("agents/" + name + "/system-prompt.md", "You are " + name + ".\n");
    catalog.invalidate();
  }

  /// A claim, and its lease in Redis; of work of its own unless `work` names one.
  queue::Claim claim(queue::TaskType type = queue::TaskType::inbox, std::int64_t counter = 5,
                     std::string work = "") {
    queue::Claim out;
    out.item = {.agent_id = AgentId("ada"), .agent_name = "ada", .task_type = type};
    out.fence = {.generation = 1, .counter = counter};
    out.activation_id = ActivationId("a-" + std::to_string(counter));
    out.runner_id = RunnerId("r-1");
    out.work_id = WorkId(work.empty() ? "w-" + system_random().uuid4() : std::move(work));
    run(redis.command(lease_of(out)));
    return out;
  }

  /// What makes the claim the owner of its lease in Redis.
  static net::Redis::Args lease_of(const queue::Claim& claim) {
    return {"HSET", "work:processing", "ada",
            fmt::format("{} 1 work:queue:high r-1 {} {}\n{{}}", claim.fence.counter,
                        claim.activation_id.str(), claim.work_id.str())};
  }

  ActivationServices services() {
    return {.hub = *hub,
            .state = state,
            .journal = journal,
            .catalog = catalog,
            .skills = skills,
            .models = models,
            .prices = prices,
            .clock = clock,
            .metrics = metrics,
            .scrubber = &scrubber,
            .sandboxes = &sandboxes};
  }
  /// What lies in the folder of workspaces now.
  std::vector<std::string> workspaces() const {
    std::vector<std::string> names;
    std::error_code none_yet;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "ws", none_yet))
      names.push_back(entry.path().filename());
    return names;
  }

  struct Ran {
    Ending ending;
    Tally tally;
    std::string outcome() const {
      if (ending.way == Ending::Way::hand_back)
        return "handed back: " + std::string(name_of(ending.hand_back));
      if (ending.way == Ending::Way::abandon) return "abandoned";
      return std::string(name_of(ending.outcome));
    }
    std::vector<std::string> notes() const {
      std::vector<std::string> out;
      for (const auto& note : tally.notes) {
        out.push_back(note.outcome + (note.reason.empty() ? "" : ": " + note.reason));
      }
      return out;
    }
  };
  Ran activate(queue::Claim claim, Deadline deadline = Deadline::in(20s)) {
    Activation activation(services(), settings, std::move(claim),
                          {.may_write = [this] { return trusted; }}, log);
    auto ending = run(activation.run(deadline));
    return {.ending = std::move(ending), .tally = activation.tally()};
  }
  Ran inbox(std::int64_t counter = 5) { return activate(claim(queue::TaskType::inbox, counter)); }
  Ran discovery(std::int64_t counter = 5) {
    return activate(claim(queue::TaskType::discovery, counter));
  }
  std::string tries(const std::string& notification) {
    return ask({"GET", "agent:tries:ada:" + notification});
  }
  /// The newest user message the model was sent.
  std::string asked(std::size_t request = 0) const {
    return model->requests.at(request).messages.back().text;
  }

  queue::RedisJournal journal{redis};
  bool trusted = true;
  BlockingPool pool{1};
  definitions::FolderSource source{folder / "defs"};
  definitions::DefinitionCatalog catalog{source, pool, {}, log, metrics};
  SkillShelf skills{catalog};
  sandbox::Sandboxes sandboxes{{.workspace_root = (folder / "ws").string()}, log, metrics};
  std::shared_ptr<ScriptedModel> model = std::make_shared<ScriptedModel>();
  OneModel models{model};
  llm::PriceTable prices;
  ActivationSettings settings;
  Scrubber scrubber;
};

}  // namespace botburrow::agent
