#pragma once

#include "base/task.hpp"
#include "net/redis.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::net {

/// Asks sentinels who the master of a name is. Each is given 700 ms; connections to them are kept
/// for the next question. One question at a time.
class Sentinels {
 public:
  /// `address` names them: by_sentinel() holds.
  explicit Sentinels(RedisAddress address);
  ~Sentinels();
  Sentinels(const Sentinels&) = delete;

  /// The answer of the first that has one, beginning with the one that had the last. Throws
  /// Error{redis_unavailable}, detail kNoMaster, with the reason of each.
  Task<RedisHost> master();
  /// What the last one said did not prove true: begin with the next one.
  void distrust();
  /// Whether more of them name another master than `current`: one that was cut off from the rest
  /// moves nobody.
  Task<bool> disagree_with(RedisHost current);

 private:
  struct Line;
  struct Answer {
    std::optional<RedisHost> host;
    std::string reason;
  };
  Task<Answer> ask(std::size_t which);
  Task<RedisHost> query(std::size_t which);
  Task<std::shared_ptr<Line>> line_to(std::size_t which);

  const RedisAddress address_;
  std::vector<std::shared_ptr<Line>> lines_;  // null where there is none
  std::size_t front_ = 0;
};

}  // namespace botburrow::net
