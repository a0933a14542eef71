#include "console/run_watch.hpp"

namespace botburrow::console {

Task<> RunWatch::follow(std::vector<queue::ActiveActivation> activations) {
  std::vector<std::string> agents;
  for (const auto& activation : activations)
    agents.push_back(activation.agent_id.str());
  const auto works = co_await pages_.works(agents);
  // What nobody looked at for long is forgotten; it would be read again from its first line.
  if (followed_.size() + activations.size() > kFollowedMax) followed_.clear();
  std::vector<queue::TailAsk> asks;
  std::vector<std::string> whose;
  for (std::size_t i = 0; i < works.size(); ++i) {
    const auto& id = activations[i].activation_id;
    if (works[i].empty() || id.empty()) continue;
    const auto& progress = followed_.try_emplace(id.str(), id).first->second;
    asks.push_back({.work = works[i], .from = progress.next()});
    whose.push_back(id.str());
  }
  const auto tails = co_await pages_.tails(asks, kLinesMax);
  for (std::size_t i = 0; i < tails.size(); ++i) {
    const auto found = followed_.find(whose[i]);
    if (found != followed_.end()) found->second.take(asks[i].from, tails[i]);
  }
}

const Progress* RunWatch::find(const std::string& activation_id) const {
  const auto found = followed_.find(activation_id);
  return found == followed_.end() ? nullptr : &found->second;
}

}  // namespace botburrow::console
