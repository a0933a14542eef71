#pragma once

#include "queue/work_item.hpp"

#include <string>
#include <string_view>
#include <vector>

// Inside the room only: JSON pieces that several wire forms share.
namespace botburrow::queue {

/// An element in three pieces, so that the enqueue script can put its own clock in the middle.
struct ItemText {
  std::string head;     ///< up to `"created_at": `
  std::string created;  ///< empty where the server's clock decides
  std::string tail;
};
ItemText text_of(const WorkItem& item);

/// A list as the `history` of items and dead letters; unreadable entries are left out.
std::vector<Crash> decode_history(std::string_view text);

/// Writes `{"name": value, …}` field by field with the blanks of the wire forms.
class ObjectText {
 public:
  ObjectText& add(std::string_view name, std::string_view text);
  ObjectText& add_raw(std::string_view name, std::string_view json);
  std::string done() { return text_.empty() ? "{}" : text_ + "}"; }

 private:
  std::string text_;
};

}  // namespace botburrow::queue
