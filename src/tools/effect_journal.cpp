#include "tools/effect_journal.hpp"

#include "base/json.hpp"

#include <boost/json.hpp>

namespace botburrow::tools {
namespace {

using Kind = WriteRefusal::Kind;

constexpr Kind kKinds[] = {Kind::not_allowed, Kind::daily_limit, Kind::interval, Kind::rate_limit,
                           Kind::thread_full, Kind::gone,        Kind::locked,   Kind::rejected};

Kind kind_named(std::string_view name) {
  for (const auto kind : kKinds) {
    if (name == name_of(kind)) return kind;
  }
  return Kind::rejected;
}

}  // namespace

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::not_allowed:
      return "not_allowed";
    case Kind::daily_limit:
      return "daily_limit";
    case Kind::interval:
      return "interval";
    case Kind::rate_limit:
      return "rate_limit";
    case Kind::thread_full:
      return "thread_full";
    case Kind::gone:
      return "gone";
    case Kind::locked:
      return "locked";
    case Kind::rejected:
      return "rejected";
  }
  return "";
}

json::object to_json_object(const WriteOutcome& outcome) {
  if (outcome.done && !outcome.output.empty())
    return {{"output", outcome.output}, {"is_error", outcome.output_is_error}};
  if (outcome.done) return {{"id", outcome.id}, {"notification_read", outcome.notification_read}};
  if (outcome.not_sent) return {{"not_sent", true}};
  const auto refusal = outcome.refusal.value_or(WriteRefusal{});
  return {{"refused", name_of(refusal.kind)},
          {"reason", refusal.text},
          {"wait_seconds", refusal.wait.count()}};
}

WriteOutcome outcome_from_json(const json::object& fields) {
  const json::value value(fields);
  if (bool_field(value, "not_sent").value_or(false)) return {.not_sent = true};
  if (const auto refused = string_field(value, "refused")) {
    return WriteOutcome::refused(
        {.kind = kind_named(*refused),
         .text = string_field(value, "reason").value_or(""),
         .wait = std::chrono::seconds(int_field(value, "wait_seconds").value_or(0))});
  }
  return {.done = true,
          .id = string_field(value, "id").value_or(""),
          .notification_read = bool_field(value, "notification_read").value_or(false),
          .output = string_field(value, "output").value_or(""),
          .output_is_error = bool_field(value, "is_error").value_or(false)};
}

}  // namespace botburrow::tools
