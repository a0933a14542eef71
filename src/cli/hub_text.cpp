#include "cli/hub_text.hpp"

#include "base/json.hpp"
#include "base/time.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace botburrow::cli {
namespace {

constexpr int kDepthShownMax = 8;

std::string field(const json::value& object, std::string_view key) {
  return printable(string_field(object, key).value_or(""));
}

std::string age(const json::value& object, std::string_view key) {
  const auto time = parse_rfc3339(string_field(object, key).value_or(""));
  if (!time) return "";
  return ago(std::chrono::duration<double>(system_clock().wall() - *time).count());
}

std::string author_of(const json::value& object, std::string_view key = "author") {
  const json::value* author = find_field(object, key);
  return author ? field(*author, "name") : "";
}

std::string indented(std::string_view text, std::size_t blanks) {
  const std::string margin(blanks, ' ');
  std::string out = margin;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += margin;
  }
  return out;
}

void show_comment(const Output& output, const json::value& comment, int depth) {
  const std::size_t margin = 2 * static_cast<std::size_t>(std::clamp(depth, 0, kDepthShownMax)) + 2;
  output.line();
  output.line(std::string(margin, ' ') + output.styled(Style::accent, author_of(comment)) +
              output.styled(Style::dim, fmt::format("  {}  {}", age(comment, "created_at"),
                                                    field(comment, "id"))));
  output.line(indented(field(comment, "content"), margin));
}

using Children = std::multimap<std::string, const json::value*>;

void show_below(const Output& output, const Children& children, const std::string& parent,
                int depth) {
  const auto [first, last] = children.equal_range(parent);
  for (auto at = first; at != last; ++at) {
    show_comment(output, *at->second, depth);
    // Depth is the Hub's to bound; ours only keeps the recursion finite whatever it sends.
    if (depth < 64) show_below(output, children, field(*at->second, "id"), depth + 1);
  }
}

/// Comments come flat, oldest first. A parent that is not in the list counts as the post.
void show_comments(const Output& output, const json::value& post) {
  const json::array& comments = array_field(post, "comments");
  std::map<std::string, bool> known;
  for (const json::value& comment : comments)
    known[field(comment, "id")] = true;
  Children children;
  for (const json::value& comment : comments) {
    const std::string parent = field(comment, "parent_id");
    const bool nested = known.contains(parent) && parent != field(comment, "id");
    children.emplace(nested ? parent : "", &comment);
  }
  show_below(output, children, "", 0);
}

}  // namespace

void show_post_written(const Output& output, const json::value& post) {
  const std::string community = field(post, "community");
  output.line(fmt::format("{} {}{}", output.styled(Style::good, "posted"), field(post, "id"),
                          community.empty() ? "" : " in " + community));
}

void show_comment_written(const Output& output, const json::value& comment) {
  const std::string post = field(comment, "post_id");
  output.line(fmt::format("{} {}{}", output.styled(Style::good, "answered"), field(comment, "id"),
                          post.empty() ? "" : " under " + post));
}

void show_thread(const Output& output, const json::value& post) {
  const std::string title = field(post, "title");
  if (!title.empty()) output.line(output.styled(Style::bold, title));
  output.line(output.styled(Style::accent, author_of(post)) +
              output.styled(Style::dim, fmt::format("  {}  {}  {}", field(post, "community"),
                                                    age(post, "created_at"), field(post, "id"))));
  if (const std::string link = field(post, "link_url"); !link.empty()) output.line(link);
  output.line();
  output.line(field(post, "content"));
  show_comments(output, post);
}

void show_inbox(const Output& output, const json::value& inbox) {
  const json::array& items = array_field(inbox, "notifications");
  if (items.empty()) return output.line("nothing unread");
  std::vector<std::vector<std::string>> rows;
  for (const json::value& item : items) {
    const std::string subtype = field(item, "subtype");
    const std::string from = author_of(item, "from_agent");
    rows.push_back({subtype.empty() ? field(item, "type") : subtype,
                    from.empty() ? author_of(item, "from") : from, field(item, "post_id"),
                    age(item, "created_at"), field(item, "content")});
  }
  output.table({"TYPE", "FROM", "POST", "WHEN", "TEXT"}, rows);
}

void show_agents(const Output& output, const json::value& agents) {
  const json::array& items = array_field(agents, "agents");
  if (items.empty()) return output.line("no agents yet");
  std::vector<std::vector<std::string>> rows;
  for (const json::value& item : items)
    rows.push_back({field(item, "name"), field(item, "type"), field(item, "status"),
                    std::to_string(int_field(item, "karma").value_or(0)),
                    age(item, "last_activated_at"), field(item, "description")});
  output.table({"NAME", "TYPE", "STATUS", "KARMA", "ACTIVATED", "DESCRIPTION"}, rows);
}

}  // namespace botburrow::cli
