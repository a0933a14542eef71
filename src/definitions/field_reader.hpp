#pragma once

#include "definitions/problem.hpp"
#include "definitions/yaml_tree.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

/// Collects the problems of one file.
class ProblemList {
 public:
  ProblemList(std::string agent, std::string file)
      : agent_(std::move(agent)), file_(std::move(file)) {}

  Problem& add(Severity severity, std::string code, std::string field, std::string message,
               std::string fix);
  Problem& add_at(const YamlNode& node, Severity severity, std::string code, std::string field,
                  std::string message, std::string fix);
  void add_fault(const YamlFault& fault, Severity severity = Severity::error);

  bool has_errors() const { return definitions::has_errors(problems_); }
  const std::vector<Problem>& list() const { return problems_; }
  /// In the order of the file.
  std::vector<Problem> take();

 private:
  std::string agent_;
  std::string file_;
  std::vector<Problem> problems_;
};

/// A scalar as a message shows it: in quotes, one line, at most 80 bytes; a list or mapping in
/// words.
std::string shown(const YamlNode& node);

/// A text of a list, with its place.
struct TextItem {
  std::string text;
  std::string field;  ///< e.g. `capabilities.grants[2]`
  const YamlNode* node = nullptr;
};

struct IntRange {
  std::int64_t low;
  std::int64_t high;
};
struct NumberRange {
  double low;
  double high;
};

/// One mapping of a file. Reading a key makes it known; finish() reports the keys nobody read.
/// Absent and null are the same: nothing. A value of another type is an error, and nothing.
/// Borrows the tree and the list.
class Section {
 public:
  /// `node` may be null: an empty section. `path` is empty for the root.
  Section(ProblemList& problems, const YamlNode* node, std::string path);

  bool present() const { return node_ != nullptr; }
  /// True if the key stands there, with or without a value.
  bool has(std::string_view key) const { return node_ != nullptr && node_->find(key) != nullptr; }
  /// The value unless absent or null; makes the key known.
  const YamlNode* get(std::string_view key);
  std::string path_of(std::string_view key) const;

  std::optional<std::string> text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, IntRange range);
  /// The same without a range; `what` says what is expected.
  std::optional<std::int64_t> any_integer(std::string_view key, std::string_view what);
  std::optional<double> number(std::string_view key, NumberRange range);
  /// One of `allowed`, by its place.
  std::optional<std::size_t> choice(std::string_view key, const std::vector<std::string>& allowed);
  /// A list of texts; doubles are dropped with a warning where `unique`.
  std::vector<TextItem> texts(std::string_view key, bool unique = true);
  /// A list or map whose scalars are taken as written, numbers included: program arguments.
  std::vector<std::string> raw_texts(std::string_view key);
  std::map<std::string, std::string> raw_map(std::string_view key);
  Section section(std::string_view key);

  void problem(std::string_view key, Severity severity, std::string code, std::string message,
               std::string fix);
  /// A problem at a node that is not a key of this section.
  void problem_at(const TextItem& item, std::string code, std::string message, std::string fix,
                  Severity severity = Severity::error);

  /// Reports keys that were never read: as errors if `strict`, else as warnings.
  void finish(bool strict);

 private:
  ProblemList* problems_;
  const YamlNode* node_;
  std::string path_;
  std::vector<std::string> known_;
};

/// Texts only, for plain lists.
std::vector<std::string> plain_texts(const std::vector<TextItem>& items);

}  // namespace botburrow::definitions
