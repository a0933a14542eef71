#include "mcp/revisions.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace botburrow::mcp {
namespace {

constexpr std::size_t kShownBytes = 100;

std::vector<std::string> texts(const json::array& list) {
  std::vector<std::string> out;
  for (const auto& one : list) {
    if (one.is_string()) out.emplace_back(one.get_string());
  }
  return out;
}

std::string joined(const std::vector<std::string_view>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

ProbeVerdict choose(const std::vector<std::string>& offered) {
  for (const auto revision : revisions()) {
    if (std::ranges::find(offered, revision) == offered.end()) continue;
    return {
        .next = is_legacy(revision) ? ProbeVerdict::Next::initialize : ProbeVerdict::Next::modern,
        .revision = std::string(revision)};
  }
  return {.fault = fmt::format(
              "the server speaks {}, and we speak {}",
              valid_utf8(utf8_prefix(fmt::format("{}", fmt::join(offered, ", ")), kShownBytes)),
              joined(revisions()))};
}

}  // namespace

const std::vector<std::string_view>& revisions() {
  static const std::vector<std::string_view> all = {kModern, kNewestLegacy, "2025-06-18",
                                                    "2025-03-26", "2024-11-05"};
  return all;
}

bool is_spoken(std::string_view revision) {
  return std::ranges::find(revisions(), revision) != revisions().end();
}

bool is_legacy(std::string_view revision) {
  return is_spoken(revision) && revision != kModern;
}

bool is_modern_error(const RpcError& error) {
  return error.code == rpc_code::kUnsupportedVersion ||
         error.code == rpc_code::kMissingCapability || error.code == rpc_code::kHeaderMismatch;
}

ProbeVerdict after_probe(const std::optional<Message>& answer) {
  const ProbeVerdict older{.next = ProbeVerdict::Next::initialize,
                           .revision = std::string(kNewestLegacy)};
  if (!answer) return older;
  if (answer->kind == Message::Kind::result) {
    const auto offered = texts(array_field(json::value(answer->result), "supportedVersions"));
    // A server that answers everything with an empty result is no modern one.
    return offered.empty() ? older : choose(offered);
  }
  if (answer->error.code == rpc_code::kUnsupportedVersion)
    return choose(texts(array_field(answer->error.data, "supported")));
  if (is_modern_error(answer->error)) {
    return {.fault = fmt::format("the server refuses server/discover: MCP error {}: {}",
                                 answer->error.code,
                                 valid_utf8(utf8_prefix(answer->error.message, kShownBytes)))};
  }
  return older;
}

std::optional<std::string> initialize_fault(std::string_view revision) {
  if (is_legacy(revision)) return std::nullopt;
  return fmt::format("the server answers initialize with revision \"{}\", and we speak {}",
                     valid_utf8(utf8_prefix(revision, kShownBytes)), joined(revisions()));
}

std::string answer_to_initialize(std::string_view asked) {
  return std::string(is_legacy(asked) ? asked : kNewestLegacy);
}

}  // namespace botburrow::mcp
