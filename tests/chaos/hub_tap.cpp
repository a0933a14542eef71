#include "tests/chaos/hub_tap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace botburrow::chaos {
namespace {

constexpr std::size_t kUnreadMax = 4u << 20;
constexpr std::size_t kComplaintsMax = 10;

std::optional<std::int64_t> number_of(std::string_view digits) {
  std::int64_t value = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (fault != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// The value of a header, name in lower case; empty where there is none.
std::string_view header_of(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
      return a == std::tolower(static_cast<unsigned char>(b));
    });
    if (!same) continue;
    auto value = line.substr(name.size() + 1);
    while (value.starts_with(' '))
      value.remove_prefix(1);
    return value;
  }
  return {};
}

std::optional<FencePair> fence_of(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto generation = number_of(text.substr(0, dot));
  const auto counter = number_of(text.substr(dot + 1));
  if (!generation || !counter) return std::nullopt;
  return FencePair{*generation, *counter};
}

/// The agent a body acts for.
std::string agent_of(std::string_view body) {
  constexpr std::string_view kField = "\"agent_id\":\"";
  const auto at = body.find(kField);
  if (at == std::string_view::npos) return "";
  const auto begin = at + kField.size();
  return std::string(body.substr(begin, body.find('"', begin) - begin));
}

/// What guarantee G11 wants fenced: everything that can be seen on the Hub.
bool must_be_fenced(std::string_view what) {
  return what.starts_with("POST /api/v1/posts") || what.starts_with("POST /api/v1/comments") ||
         what.starts_with("POST /api/v1/notifications/read");
}

std::string text_of(const FencePair& fence) {
  return fmt::format("{}.{}", fence.first, fence.second);
}

/// Head and body of the first message, taken off the front; nothing while it is not whole.
struct Message {
  std::string head, body;
};
std::optional<Message> take_message(std::string& bytes, bool has_body) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const auto head = std::string_view(bytes).substr(0, end);
  const auto length =
      has_body ? number_of(header_of(head, "content-length")).value_or(0) : std::int64_t{0};
  const auto size = end + 4 + static_cast<std::size_t>(std::max<std::int64_t>(0, length));
  if (bytes.size() < size) return std::nullopt;
  Message message{.head = std::string(head), .body = bytes.substr(end + 4, size - end - 4)};
  bytes.erase(0, size);
  return message;
}

}  // namespace

void HubTap::see(std::size_t wire, std::size_t number, test::Way way, std::string_view bytes) {
  auto& link = links_[{wire, number}];
  if (link.lost) return;
  auto& unread = way == test::Way::forth ? link.asked : link.answered;
  unread += bytes;
  while (way == test::Way::forth ? take_request(link) : take_answer(link)) {
  }
  if (unread.size() > kUnreadMax) {
    link.lost = true;
    unread.clear();
  }
}

bool HubTap::take_request(Link& link) {
  const auto message = take_message(link.asked, true);
  if (!message) return false;
  const auto line = std::string_view(message->head).substr(0, message->head.find("\r\n"));
  Write write{.what = std::string(line.substr(0, line.rfind(' '))),
              .agent = agent_of(message->body),
              .fence = fence_of(header_of(message->head, "botburrow-fence"))};
  write.is_write = write.fence || must_be_fenced(write.what);
  if (const auto known = newest_.find(write.agent); known != newest_.end())
    write.newest = known->second;
  link.open.push_back(std::move(write));
  return true;
}

bool HubTap::take_answer(Link& link) {
  const auto line = std::string_view(link.answered).substr(0, link.answered.find("\r\n"));
  const auto status = line.size() >= 12 ? number_of(line.substr(9, 3)).value_or(0) : 0;
  const bool has_body = status != 204 && status != 304;
  const auto message = take_message(link.answered, has_body);
  if (!message) return false;
  // Neither do we read what comes in chunks, nor does our Hub send any.
  if (!header_of(message->head, "transfer-encoding").empty()) link.lost = true;
  if (status < 200) return true;
  if (link.lost || link.open.empty()) return false;
  judge(link.open.front(), static_cast<int>(status));
  link.open.erase(link.open.begin());
  return true;
}

void HubTap::judge(const Write& write, int status) {
  if (!write.is_write) return;
  if (status == 412) ++verdict_.refused_stale;
  if (status < 200 || status > 299) return;
  ++verdict_.writes;
  std::string complaint;
  if (!write.fence) {
    ++verdict_.unfenced;
    complaint = fmt::format("a write without a fence was accepted: {} of {}", write.what,
                            write.agent.empty() ? "?" : write.agent);
  } else if (*write.fence < write.newest) {
    ++verdict_.stale_accepted;
    complaint = fmt::format("a stale write was accepted: {} of {} under {} after {}", write.what,
                            write.agent, text_of(*write.fence), text_of(write.newest));
  } else {
    newest_[write.agent] = std::max(newest_[write.agent], *write.fence);
  }
  if (!complaint.empty() && verdict_.complaints.size() < kComplaintsMax)
    verdict_.complaints.push_back(std::move(complaint));
}

}  // namespace botburrow::chaos
