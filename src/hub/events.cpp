#include "hub/events.hpp"

namespace botburrow::hub {

void EventFeed::publish(Change change) {
  kept_.push_back(std::move(change));
  if (kept_.size() > kKeptMax) {
    kept_.pop_front();
    ++first_;
  }
  bell_.ring();
}

EventFeed::News EventFeed::since(std::uint64_t& place) const {
  News news;
  news.lost = place < first_;
  const std::uint64_t from = news.lost ? 0 : place - first_;
  for (std::size_t at = from; at < kept_.size(); ++at)
    news.changes.push_back(kept_[at]);
  place = end();
  return news;
}

}  // namespace botburrow::hub
