#pragma once

#include "definitions/field_reader.hpp"
#include "definitions/parse.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

/// What the readers of a config's sections share while one file is parsed.
struct Reading {
  ProblemList& problems;
  const DefinitionText& text;
  const ParseOptions& options;
  Section& root;
  AgentDefinition& out;
};

void read_brain(const Reading& reading);
/// A provider that nobody knows needs an endpoint. Comes after type, brain and executor.
void check_endpoint(const Reading& reading);
void read_capabilities(const Reading& reading);
/// Also interests and memory.
void read_behavior(const Reading& reading);
/// `network` as a key of `parent`: it is accepted in two places, and the one read last wins.
void read_network(const Reading& reading, Section& parent, bool seen_before);

/// The helpers of those readers.
class SectionReader {
 public:
  explicit SectionReader(const Reading& reading)
      : reading_(reading),
        problems_(reading.problems),
        text_(reading.text),
        options_(reading.options),
        root_(reading.root),
        out_(reading.out) {}

 protected:
  void missing(Section& section, std::string_view key, std::string used) {
    if (options_.missing_is_error) {
      section.problem(key, Severity::error, "missing", "is required",
                      fmt::format("add {}", section.path_of(key)));
    } else {
      section.problem(key, Severity::warning, "missing",
                      fmt::format("is missing, taken as {}", used),
                      fmt::format("add {}", section.path_of(key)));
    }
  }
  void finish(Section& section) { section.finish(options_.strict); }
  static std::string joined(const std::vector<std::string>& names) {
    return fmt::format("{}", fmt::join(names, ", "));
  }
  static std::string one_line(const std::string& text) {
    const std::string out = shown({.kind = YamlNode::Kind::scalar, .text = text});
    return out.substr(1, out.size() - 2);
  }

  Reading reading_;
  ProblemList& problems_;
  const DefinitionText& text_;
  const ParseOptions& options_;
  Section& root_;
  AgentDefinition& out_;
};

/// True if `text` is not empty and has no characters but `chars`.
inline bool only(std::string_view text, std::string_view chars) {
  return !text.empty() && text.find_first_not_of(chars) == std::string_view::npos;
}
inline constexpr std::string_view kNameChars = "abcdefghijklmnopqrstuvwxyz0123456789-";

}  // namespace botburrow::definitions
