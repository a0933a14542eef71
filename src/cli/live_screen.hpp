#pragma once

#include <string>
#include <string_view>

namespace botburrow::cli {

/// The bytes that put `text` on a terminal in place of what stands there: from the first line on,
/// each line over the old one and its rest erased, then the rest of the screen. Nothing is blank in
/// between, so nothing flickers. Lines beyond `rows` are counted in the last one.
std::string frame_of(std::string_view text, std::size_t rows);

/// A screen that is drawn again and again. On a terminal in place: no wrapped lines, no cursor,
/// both put back at the end. Elsewhere block after block, parted by an empty line.
class LiveScreen {
 public:
  explicit LiveScreen(bool terminal);
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  void show(const std::string& text);

 private:
  bool terminal_;
  bool drawn_ = false;
};

}  // namespace botburrow::cli
