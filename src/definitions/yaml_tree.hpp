#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::definitions {

struct YamlEntry;

/// A node of a YAML document with its place, aliases and merge keys resolved.
struct YamlNode {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  std::string text;  ///< of a scalar
  bool quoted =
      false;       ///< a scalar in quotes, a block, or tagged `!!str`: text whatever it looks like
  int line = 0;    ///< from 1
  int column = 0;  ///< from 1, in characters
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;

  /// The value of `key` in a mapping, or null.
  const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  std::string key;
  int line = 0;
  int column = 0;
  YamlNode value;
};

struct YamlFault {
  std::string code;
  int line = 0;
  int column = 0;
  std::string message;
  std::string fix;
};

struct YamlLimits {
  std::size_t bytes = 256 * 1024;
  int depth = 20;
  std::size_t nodes = 20'000;  ///< after aliases are expanded
};

struct YamlDocument {
  YamlNode root;
  std::vector<YamlFault> faults;  ///< duplicate keys, tags; or the one fault that ended the parse
  bool complete = false;          ///< false: `root` is not to be used
};

/// Parses one document: UTF-8 with or without BOM, LF or CRLF. Bounded by `limits` in time and
/// memory whatever the bytes; never throws.
YamlDocument parse_yaml(std::string_view text, const YamlLimits& limits = {});

/// Offset of the first byte that is not valid UTF-8 or is a control character other than tab and
/// line ends; npos where all is well.
std::size_t find_bad_byte(std::string_view text);

/// The text without a leading byte order mark.
std::string_view without_bom(std::string_view text);

}  // namespace botburrow::definitions
