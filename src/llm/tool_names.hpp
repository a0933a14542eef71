#pragma once

#include "llm/model.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::llm {

/// Our tool names in the form vendors take, `^[a-zA-Z0-9_-]{1,64}$`, and back. Two names never
/// become one. The same tools and transcript give the same names, so that a transcript keeps them.
class ToolNames {
 public:
  ToolNames(const std::vector<ToolSpec>& tools, const std::vector<Message>& messages);

  /// The wire form; for a name that was never seen, its sanitised form.
  std::string to_wire(std::string_view name) const;
  /// Our name; a wire name that nobody was given comes back as it is.
  std::string from_wire(std::string_view wire) const;

 private:
  void add(const std::string& name);

  std::map<std::string, std::string, std::less<>> wire_of_;
  std::map<std::string, std::string, std::less<>> name_of_;
};

/// `name` with everything outside the grammar as `_`, cut to 64 bytes; `tool` for an empty one.
std::string sanitised_tool_name(std::string_view name);

}  // namespace botburrow::llm
