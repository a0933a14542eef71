#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace botburrow::tools {

/// A regular expression whose matching takes time linear in the text, whatever the expression: it
/// may come from strangers. Syntax of RE2.
class LinearRegex {
 public:
  struct Options {
    bool ignore_case = false;
  };
  /// The expression, or what is wrong with it.
  static std::expected<LinearRegex, std::string> parse(std::string_view pattern, Options options);
  static std::expected<LinearRegex, std::string> parse(std::string_view pattern) {
    return parse(pattern, Options{});
  }
  LinearRegex(LinearRegex&&) noexcept;
  LinearRegex& operator=(LinearRegex&&) noexcept;
  ~LinearRegex();

  bool found_in(std::string_view text) const;
  bool matches_all_of(std::string_view text) const;

 private:
  explicit LinearRegex(std::unique_ptr<re2::RE2> compiled);
  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace botburrow::tools
