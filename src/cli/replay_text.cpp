#include "cli/replay_text.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/output.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace botburrow::cli {
namespace {

using queue::JournalKind;
using queue::JournalLine;

std::string text(const json::value& fields, std::string_view key) {
  return string_field(fields, key).value_or("");
}

class Writer {
 public:
  explicit Writer(std::size_t text_bytes) : text_bytes_(text_bytes) {}

  void line(const JournalLine& line) {
    at_ = line.at.size() >= 23 ? line.at.substr(11, 12) : line.at;
    const json::value fields(line.fields);
    switch (line.kind) {
      case JournalKind::started:
        return started(line.activation_id.str(), fields);
      case JournalKind::notification:
        return notification(fields);
      case JournalKind::model_call:
        return model_call(fields);
      case JournalKind::model_answer:
        return model_answer(fields);
      case JournalKind::effect:
        return effect(fields);
      case JournalKind::effect_done:
        return effect_done(fields);
      case JournalKind::ended:
        return ended(fields);
    }
  }
  std::vector<std::string> take() { return std::move(out_); }

 private:
  void say(const std::string& what) {
    out_.push_back(fmt::format("{:<13} {}", at_, printable(what)));
  }

  // A text of several lines stands below what it belongs to.
  void quote(std::string_view label, const std::string& whole) {
    const auto shown = utf8_prefix(whole, text_bytes_);
    std::string rest = printable(shown);
    if (shown.size() < whole.size())
      rest += fmt::format(" [… {} bytes more; --full shows them]", whole.size() - shown.size());
    bool first = true;
    for (std::size_t at = 0; at <= rest.size() && (first || at < rest.size());) {
      const auto end = std::min(rest.find('\n', at), rest.size());
      out_.push_back(fmt::format("{:<13} {:<10} {}", "", first ? label : "",
                                 std::string_view(rest).substr(at, end - at)));
      first = false;
      at = end + 1;
    }
  }

  void started(const std::string& activation, const json::value& f) {
    say(fmt::format("claim {} of {} work by {}, attempt {}, fence {} (activation {})",
                    text(f, "agent_name"), text(f, "task_type"), text(f, "runner_id"),
                    int_field(f, "attempt").value_or(0), text(f, "fence"), activation));
  }

  void notification(const json::value& f) {
    const auto* what = find_field(f, "notification");
    if (!what) {
      const auto reason = text(f, "reason");
      say(fmt::format("notification {}{}{}", text(f, "outcome"), reason.empty() ? "" : ": ",
                      reason));
      return;
    }
    const auto* from = find_field(*what, "from");
    say(fmt::format("notification {}: {} by {} on post {}", text(*what, "id"), text(*what, "type"),
                    from ? text(*from, "name") : "", text(*what, "post_id")));
    quote("", text(*what, "content"));
  }

  void message(const json::value& m) {
    const auto role = text(m, "role");
    const auto words = text(m, "text");
    if (!words.empty()) quote(role, words);
    for (const auto& result : array_field(m, "tool_results"))
      quote("result", fmt::format("{}: {}", text(result, "tool_name"), text(result, "content")));
  }

  void model_call(const json::value& f) {
    const auto& messages = array_field(f, "messages");
    say(messages.empty() ? "model asked once more, the same" : "model asked");
    for (const auto& one : messages)
      message(one);
  }

  void model_answer(const json::value& f) {
    const auto* answer = find_field(f, "answer");
    if (!answer) return;
    const auto* usage = find_field(*answer, "usage");
    say(fmt::format("model answered: {} {}, {} tokens in, {} out, {:.6f} USD ({})",
                    text(*answer, "provider"), text(*answer, "model"),
                    usage ? int_field(*usage, "input").value_or(0) : 0,
                    usage ? int_field(*usage, "output").value_or(0) : 0,
                    number_field(f, "cost_usd").value_or(0), text(*answer, "stop")));
    const auto words = text(*answer, "text");
    if (!words.empty()) quote("assistant", words);
    for (const auto& call : array_field(*answer, "tool_calls")) {
      const auto* arguments = find_field(call, "arguments");
      quote("call", fmt::format("{} {}", text(call, "name"), arguments ? to_json(*arguments) : ""));
    }
  }

  void effect(const json::value& f) {
    say(fmt::format("effect {}: POST {} (key {})", text(f, "slot"), text(f, "path"),
                    text(f, "key").substr(0, 12)));
    const auto* body = find_field(f, "body");
    if (body) quote("", text(*body, "content"));
  }

  void effect_done(const json::value& f) {
    const auto slot = text(f, "slot");
    if (const auto refused = string_field(f, "refused"))
      return say(fmt::format("effect {} refused ({}): {}", slot, *refused, text(f, "reason")));
    if (bool_field(f, "not_sent").value_or(false))
      return say(fmt::format("effect {} not sent: the Hub could not be reached", slot));
    say(fmt::format("effect {} done: id {}", slot, text(f, "id")));
  }

  void ended(const json::value& f) {
    const auto reason = text(f, "reason");
    say(fmt::format("ended: {}{}{}", text(f, "outcome"), reason.empty() ? "" : ": ", reason));
  }

  std::size_t text_bytes_;
  std::string at_;
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> transcript_of(const std::vector<JournalLine>& lines,
                                       std::size_t text_bytes) {
  Writer writer(text_bytes);
  for (const auto& line : lines)
    writer.line(line);
  return writer.take();
}

json::value to_document(const JournalLine& line) {
  json::object all{{"n", line.n},
                   {"at", line.at},
                   {"activation_id", line.activation_id.str()},
                   {"kind", queue::name_of(line.kind)}};
  for (const auto& [key, value] : line.fields)
    all.insert_or_assign(key, value);
  return all;
}

}  // namespace botburrow::cli
