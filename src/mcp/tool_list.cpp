#include "mcp/tool_list.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace botburrow::mcp {
namespace {

constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kDescriptionBytesMax = 8 * 1024;
constexpr std::size_t kCursorBytesMax = 16 * 1024;
constexpr std::size_t kFaultsMax = 20;
constexpr std::size_t kDefinitionBytesMax = 64u << 10;
constexpr std::size_t kListBytesMax = 2u << 20;
/// A joiner that stands in emoji and in scripts that need it, and a choice of its colour.
constexpr int kJoinersInRow = 2;
constexpr std::size_t kMarkDigits = 12;

void append_canonical(const json::value& value, std::string& out) {
  if (const auto* list = value.if_array()) {
    out += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out += ',';
      append_canonical((*list)[i], out);
    }
    out += ']';
    return;
  }
  const auto* object = value.if_object();
  if (!object) {
    out += to_json(value);
    return;
  }
  std::map<std::string_view, const json::value*> sorted;
  for (const auto& [key, field] : *object)
    sorted.emplace(std::string_view(key.data(), key.size()), &field);
  out += '{';
  bool first = true;
  for (const auto& [key, field] : sorted) {
    if (!first) out += ',';
    first = false;
    append_json_string(out, key);
    out += ':';
    append_canonical(*field, out);
  }
  out += '}';
}

std::string shown(std::string_view text) {
  return clean_text(utf8_prefix(text, 80));
}

/// The code point at the front of valid UTF-8, and how many bytes it takes.
std::pair<char32_t, std::size_t> code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  const auto c = byte(0);
  if (c < 0x80) return {c, 1};
  if (c < 0xe0) return {(c & 0x1f) << 6 | (byte(1) & 0x3f), 2};
  if (c < 0xf0) return {(c & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
  return {(c & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f), 4};
}

bool is_hidden(char32_t c) {
  if (c == U'\n' || c == U'\t') return false;
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool direction = c == 0x061c || c == 0x200e || c == 0x200f ||
                         (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  const bool separator = c == 0x2028 || c == 0x2029 || c == 0xfeff;
  const bool tag = c >= 0xe0000 && c <= 0xe0fff;
  const bool no_width = c == 0x00ad || c == 0x034f || c == 0x115f || c == 0x1160 || c == 0x200b ||
                        (c >= 0x2060 && c <= 0x2065) || c == 0x3164 || c == 0xffa0 ||
                        (c >= 0xfff9 && c <= 0xfffb) || (c >= 0x180b && c <= 0x180f);
  const bool variant = c >= 0xfe00 && c <= 0xfe0d;
  return control || direction || separator || tag || no_width || variant;
}

/// Invisible as well, but part of how some words and emoji are written.
bool is_joiner(char32_t c) {
  return c == 0x200c || c == 0x200d || c == 0xfe0e || c == 0xfe0f;
}

}  // namespace

std::string clean_text(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string out;
  out.reserve(valid.size());
  int joiners_left = 0;
  for (std::string_view rest = valid; !rest.empty();) {
    const auto [c, bytes] = code_point(rest);
    const bool joiner = is_joiner(c);
    if (joiner ? joiners_left-- > 0 : !is_hidden(c)) {
      out += rest.substr(0, bytes);
      // Nothing in ASCII is joined; a row of them would be a message of its own.
      if (!joiner) joiners_left = c < 0x80 ? 0 : kJoinersInRow;
    }
    rest.remove_prefix(bytes);
  }
  return out;
}

json::value clean_texts(const json::value& value) {
  if (const auto* text = value.if_string())
    return json::value(json::string(clean_text({text->data(), text->size()})));
  if (const auto* list = value.if_array()) {
    json::array out;
    for (const auto& one : *list)
      out.push_back(clean_texts(one));
    return out;
  }
  const auto* object = value.if_object();
  if (!object) return value;
  json::object out;
  for (const auto& [key, field] : *object)
    out.emplace(clean_text({key.data(), key.size()}), clean_texts(field));
  return out;
}

std::string canonical_json(const json::value& value) {
  std::string out;
  append_canonical(value, out);
  return out;
}

std::string definitions_hash(const std::vector<ToolDefinition>& tools) {
  std::vector<std::string> texts;
  for (const auto& tool : tools)
    texts.push_back(canonical_json(tool.source));
  std::ranges::sort(texts);
  std::string all;
  for (const auto& text : texts)
    all += text + '\n';
  return sha256_hex(all);
}

std::string definition_mark(const ToolDefinition& tool) {
  return sha256_hex(canonical_json(tool.source)).substr(0, kMarkDigits);
}

ReadTool read_tool(const json::value& value) {
  const auto name = string_field(value, "name");
  if (!value.is_object() || !name || name->empty())
    return {.tool = std::nullopt, .fault = "a tool without a name"};
  if (name->size() > kNameBytesMax)
    return {
        .tool = std::nullopt,
        .fault = fmt::format("tool \"{}…\": a name of over {} bytes", shown(*name), kNameBytesMax)};
  const auto* input = find_field(value, "inputSchema");
  if (!input || !input->is_object() || string_field(*input, "type").value_or("object") != "object")
    return {
        .tool = std::nullopt,
        .fault = fmt::format("tool \"{}\": inputSchema is no schema of an object", shown(*name))};
  const auto* output = find_field(value, "outputSchema");
  ToolDefinition tool{.name = *name,
                      .description = clean_text(utf8_prefix(
                          string_field(value, "description").value_or(""), kDescriptionBytesMax)),
                      .input_schema = *input,
                      .output_schema = output && output->is_object() ? *output : json::value(),
                      .source = value.get_object()};
  return {.tool = std::move(tool)};
}

std::optional<std::string> ToolPages::take(const json::object& page) {
  const json::value value(page);
  const auto* list = find_field(value, "tools");
  if (!list || !list->is_array())
    throw Error(errc::protocol, "the answer to tools/list has no list of tools");
  for (const auto& one : list->get_array()) {
    const auto bytes = to_json(one).size();
    bytes_ += bytes;
    if (bytes_ > kListBytesMax) {
      throw Error(errc::limit, fmt::format("the server's definitions of tools are over {} bytes",
                                           kListBytesMax));
    }
    if (tools_.size() + faults_.size() >= tools_max_) {
      throw Error(errc::limit, fmt::format("the server lists more than {} tools", tools_max_));
    }
    auto read = read_tool(one);
    if (read.tool && bytes > kDefinitionBytesMax) {
      read.fault = fmt::format("tool \"{}\": a definition of {} bytes, over the limit of {}",
                               shown(read.tool->name), bytes, kDefinitionBytesMax);
      read.tool.reset();
    }
    if (read.tool && !names_.insert(read.tool->name).second) {
      read.fault = fmt::format("tool \"{}\" is listed twice", shown(read.tool->name));
      read.tool.reset();
    }
    if (read.tool) {
      tools_.push_back(*std::move(read.tool));
    } else if (faults_.size() < kFaultsMax) {
      faults_.push_back(std::move(read.fault));
    }
  }
  auto cursor = string_field(value, "nextCursor");
  if (!cursor || cursor->empty()) return std::nullopt;
  if (cursor->size() > kCursorBytesMax || !cursors_.insert(*cursor).second) {
    throw Error(errc::protocol,
                fmt::format("tools/list goes in circles: the cursor \"{}\" was there before",
                            shown(*cursor)));
  }
  // Pages without tools would otherwise go on for ever.
  if (cursors_.size() > tools_max_)
    throw Error(errc::limit, fmt::format("tools/list has more than {} pages", tools_max_));
  return cursor;
}

}  // namespace botburrow::mcp
