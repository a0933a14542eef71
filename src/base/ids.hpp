#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace botburrow {

/// A string that cannot be passed for another kind of string.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;

 private:
  std::string value_;
};

using AgentId = Id<struct AgentIdTag>;            ///< the Hub's `id` of an agent
using RunnerId = Id<struct RunnerIdTag>;          ///< a label; an incarnation owns claims
using ActivationId = Id<struct ActivationIdTag>;  ///< UUIDv4, one a claim
using WorkId = Id<struct WorkIdTag>;              ///< the activation id of an item's first claim

}  // namespace botburrow

template <class Tag>
struct std::hash<botburrow::Id<Tag>> {
  std::size_t operator()(const botburrow::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
