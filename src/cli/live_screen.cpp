#include "cli/live_screen.hpp"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace botburrow::cli {
namespace {

constexpr std::size_t kRowsUnknown = 24;

void write(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fflush(stdout);
}

/// Asked anew each time: windows change their size.
std::size_t rows_of_terminal() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return kRowsUnknown;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

}  // namespace

std::string frame_of(std::string_view text, std::size_t rows) {
  const auto lines = lines_of(text);
  const bool fits = lines.size() <= rows;
  const std::size_t shown = fits ? lines.size() : std::max<std::size_t>(rows, 1) - 1;
  std::string frame = "\x1b[H";
  for (std::size_t i = 0; i < shown; ++i) {
    // No line end behind the last one: it would scroll a full screen.
    frame += fmt::format("{}{}\x1b[K", i == 0 ? "" : "\r\n", lines[i]);
  }
  if (!fits)
    frame += fmt::format("{}… {} more lines\x1b[K", shown == 0 ? "" : "\r\n", lines.size() - shown);
  return frame + "\x1b[J";
}

LiveScreen::LiveScreen(bool terminal) : terminal_(terminal) {
  if (terminal_) write("\x1b[?25l\x1b[?7l\x1b[2J");
}

LiveScreen::~LiveScreen() {
  if (terminal_) write("\x1b[?7h\x1b[?25h\r\n");
}

void LiveScreen::show(const std::string& text) {
  if (terminal_)
    write(frame_of(text, rows_of_terminal()));
  else
    write((drawn_ ? "\n" : "") + text);
  drawn_ = true;
}

}  // namespace botburrow::cli
