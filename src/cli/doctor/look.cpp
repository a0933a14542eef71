#include "cli/doctor/look.hpp"

#include "base/error.hpp"

#include <algorithm>

namespace botburrow::cli::doctor {
namespace {

Task<> look_at_agents(const Ground& ground, const Place& place, BlockingPool& pool, Facts& facts) {
  std::vector<llm::Brain> brains;
  co_await look_at_definitions(ground, place, pool, facts.definitions, brains);
  if (!facts.definitions.usable) {
    facts.models_trouble = "the definitions are not readable";
    co_return;
  }
  std::vector<std::string> names;
  for (const auto& agent : facts.definitions.agents)
    names.push_back(agent.name);
  co_await look_at_models(ground, brains, names, facts.models);
}

}  // namespace

SettingsFacts settings_facts(const std::vector<const Settings*>& all) {
  SettingsFacts facts;
  const auto add = [](std::vector<std::string>& lines, const std::string& line) {
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
  };
  for (const auto* settings : all) {
    for (const auto& line : settings->problems())
      add(facts.problems, line);
    for (const auto& warning : settings->warnings()) {
      if (warning.event == "setting_conflict") add(facts.conflicts, warning.message);
      if (warning.event == "setting_unknown") add(facts.unknown_names, warning.message);
      if (warning.message.find("placeholder") != std::string::npos)
        add(facts.placeholders, warning.message);
    }
  }
  return facts;
}

Task<> look_at_all(const Ground& ground, const Place& place, BlockingPool& pool, Facts& facts) {
  const auto& settings = ground.settings;
  facts.settings.activation_timeout = settings.seconds("ACTIVATION_TIMEOUT");
  facts.settings.model_timeout = settings.seconds("LLM_TIMEOUT");
  facts.settings.long_poll = settings.seconds("LONG_POLL_TIMEOUT");
  facts.settings.iterations_max = settings.integer("MAX_ITERATIONS");
  facts.llm_mode = settings.text("LLM_MODE");
  TaskGroup looks(ground.executor, [&facts](const std::string& name, std::exception_ptr failure) {
    // A look that fails by itself is a fault of this program, and must not look like good health.
    facts.settings.problems.push_back("doctor: looking at " + name + ": " + describe(failure));
  });
  if (place.redis_url.empty())
    facts.redis.trouble = facts.queue.trouble = "no Redis is known";
  else
    looks.spawn("redis", [&] { return look_at_redis(ground, place, facts.redis, facts.queue); });
  if (place.hub_url.empty())
    facts.hub.trouble = "no Hub is known (HUB_URL)";
  else
    looks.spawn("hub", [&] { return look_at_hub(ground, place, facts.hub); });
  looks.spawn("services", [&] { return look_at_services(ground, place, facts.services); });
  looks.spawn("ports",
              [&] { return look_at_ports(ground, place, pool, facts.ports, facts.ports_trouble); });
  looks.spawn("agents", [&] { return look_at_agents(ground, place, pool, facts); });
  looks.spawn("machine", [&] { return look_at_machine(ground, place, pool, facts.machine); });
  co_await looks.join();
  if (facts.hub.takes_key()) co_await look_up_agents(ground, place, facts.definitions);
  facts.now = to_unix(ground.clock.wall());
}

}  // namespace botburrow::cli::doctor
