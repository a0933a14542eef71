#pragma once

#include "cli/environment.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::cli {

enum class Style { plain, bold, dim, good, warning, bad, accent };

/// Answers on stdout: readable for people, JSON for scripts.
class Output {
 public:
  /// Colour only on a terminal, without NO_COLOR and TERM=dumb.
  explicit Output(const Environment& environment);

  /// The same, written to the end of `text` instead, which outlives it.
  Output into(std::string& text) const;

  std::string styled(Style style, std::string_view text) const;
  void line(std::string_view text = "") const;
  /// Columns as wide as their widest cell, up to 48; headings bold. Control characters in cells are
  /// shown as blanks, so that what strangers wrote cannot drive the terminal.
  void table(const std::vector<std::string>& headings,
             const std::vector<std::vector<std::string>>& rows) const;
  /// One document, indented on a terminal, in one line otherwise.
  void json(const boost::json::value& document) const;
  bool colour() const { return colour_; }

 private:
  bool colour_ = false;
  bool terminal_ = false;
  std::string* text_ = nullptr;  // null: stdout
};

/// Text of strangers made safe for a terminal: control characters other than line end and tab are
/// removed, invalid UTF-8 is replaced.
std::string printable(std::string_view text);

/// Cells the text takes on a terminal (code points, wide ones counted twice).
std::size_t display_width(std::string_view text);

/// "3 min ago" and the like for people.
std::string ago(double seconds);

}  // namespace botburrow::cli
