#pragma once

#include <string_view>

// What reads bytes of strangers, each with properties that must hold for any bytes at all. One
// function a target; libFuzzer drives them (driver/), and the suite replays corpus/ with every
// build.
namespace botburrow::fuzz {

/// Server-sent events: any split of the bytes gives the same events.
void sse(std::string_view bytes);
/// Lines and JSON-RPC messages of an MCP peer: what was read can be written and read again.
void json_rpc(std::string_view bytes);
/// config.yaml and system-prompt.md: problems have places, and what is usable has none that is
/// fatal.
void definition(std::string_view bytes);
/// SKILL.md: always usable.
void skill(std::string_view bytes);
/// Replies of Redis: any split of the bytes gives the same replies, and no reply beyond its limit.
void resp(std::string_view bytes);
/// Heads of requests at the Hub: found in pieces as in one; targets and queries.
void http_head(std::string_view bytes);
/// Heads of requests at the proxy of sandboxes: what is passed on is understood the same way.
void proxy_head(std::string_view bytes);
/// Command lines of models: words that are quoted and split again are the same words.
void command_line(std::string_view bytes);
/// Secrets in texts: what is scrubbed once holds none, and nothing else is changed.
void scrubber(std::string_view bytes);

struct Target {
  std::string_view name;
  void (*run)(std::string_view bytes);
};
inline constexpr Target kTargets[] = {{"sse", sse},
                                      {"json_rpc", json_rpc},
                                      {"definition", definition},
                                      {"skill", skill},
                                      {"resp", resp},
                                      {"http_head", http_head},
                                      {"proxy_head", proxy_head},
                                      {"command_line", command_line},
                                      {"scrubber", scrubber}};

/// Ends the program with the sentence: libFuzzer and the suite both take it as a finding.
[[noreturn]] void fail(std::string_view what);
inline void require(bool holds, std::string_view what) {
  if (!holds) fail(what);
}

/// The pieces that bytes might come in: `seed` decides where they are cut.
template <class Take>
void in_pieces(std::string_view bytes, unsigned seed, Take take) {
  while (!bytes.empty()) {
    seed = seed * 1103515245U + 12345U;
    const auto size = std::size_t{1} + (seed >> 16U) % 7;
    take(bytes.substr(0, size));
    bytes.remove_prefix(size < bytes.size() ? size : bytes.size());
  }
}

}  // namespace botburrow::fuzz
