// Rules only: the wire form of a line, and the bounds of a journal.
#include "base/error.hpp"
#include "base/json.hpp"
#include "queue/journal.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::queue {
namespace {

constexpr JournalKind kKinds[] = {JournalKind::started,    JournalKind::notification,
                                  JournalKind::model_call, JournalKind::model_answer,
                                  JournalKind::effect,     JournalKind::effect_done,
                                  JournalKind::ended};

/// Names the field that is stored apart.
constexpr std::string_view kApart = "payload";

Error full(std::string what) {
  return Error(errc::journal_full,
               fmt::format("journal: {}; split the work into smaller pieces, or lower "
                           "MAX_ITERATIONS and the agent's limits",
                           what));
}

json::object head_of(const JournalLine& line) {
  return {{"n", line.n},
          {"at", line.at},
          {"activation_id", line.activation_id.str()},
          {"kind", name_of(line.kind)}};
}

std::string text_of(const JournalLine& line, const json::object& fields) {
  auto all = head_of(line);
  for (const auto& [key, value] : fields)
    all.insert_or_assign(key, value);
  return to_json(all);
}

// Takes the largest field out.
std::pair<std::string, std::string> largest_of(const json::object& fields) {
  std::pair<std::string, std::string> largest;
  for (const auto& [key, value] : fields) {
    auto text = to_json(value);
    if (text.size() > largest.second.size()) largest = {std::string(key), std::move(text)};
  }
  return largest;
}

}  // namespace

std::string_view name_of(JournalKind kind) {
  switch (kind) {
    case JournalKind::started:
      return "started";
    case JournalKind::notification:
      return "notification";
    case JournalKind::model_call:
      return "model_call";
    case JournalKind::model_answer:
      return "model_answer";
    case JournalKind::effect:
      return "effect";
    case JournalKind::effect_done:
      return "effect_done";
    case JournalKind::ended:
      return "ended";
  }
  return "";
}

JournalEntry encode(const JournalLine& line, JournalSize& size) {
  if (size.lines >= kJournalLines)
    throw full(fmt::format("more than {} lines for one piece of work", kJournalLines));
  JournalEntry entry{.n = line.n, .line = text_of(line, line.fields), .payload = {}};
  if (entry.line.size() > kJournalLineBytes) {
    auto fields = line.fields;
    auto [key, payload] = largest_of(fields);
    fields.erase(key);
    fields[kApart] = key;
    entry.line = text_of(line, fields);
    entry.payload = std::move(payload);
  }
  if (entry.line.size() > kJournalLineBytes)
    throw full(fmt::format("a line of {} bytes, {} fit", entry.line.size(), kJournalLineBytes));
  if (entry.payload.size() > kJournalPayloadBytes)
    throw full(
        fmt::format("a payload of {} bytes, {} fit", entry.payload.size(), kJournalPayloadBytes));
  if (size.payload_bytes + entry.payload.size() > kJournalPayloadsBytes)
    throw full(fmt::format("payloads of more than {} bytes", kJournalPayloadsBytes));
  ++size.lines;
  size.payload_bytes += entry.payload.size();
  return entry;
}

std::optional<JournalLine> decode_journal_line(
    std::string_view text, const std::map<std::int64_t, std::string>& payloads) {
  auto value = try_parse_json(text);
  if (!value || !value->is_object()) return std::nullopt;
  const auto kind = string_field(*value, "kind");
  for (const auto one : kKinds) {
    if (kind != name_of(one)) continue;
    JournalLine line{
        .n = int_field(*value, "n").value_or(0),
        .at = string_field(*value, "at").value_or(""),
        .activation_id = ActivationId(string_field(*value, "activation_id").value_or("")),
        .kind = one,
        .fields = std::move(value->get_object())};
    for (const std::string_view key : {"n", "at", "activation_id", "kind"})
      line.fields.erase(key);
    if (const auto* apart = line.fields.if_contains(kApart); apart && apart->is_string()) {
      const std::string key(apart->get_string());
      line.fields.erase(kApart);
      const auto payload = payloads.find(line.n);
      auto stored = payload == payloads.end() ? std::nullopt : try_parse_json(payload->second);
      if (!stored) return std::nullopt;
      line.fields[key] = std::move(*stored);
    }
    return line;
  }
  return std::nullopt;
}

}  // namespace botburrow::queue
