#include "base/scrubber.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace botburrow {
namespace {

/// Keys by what they begin with; the rest is at least this long.
struct Vendor {
  std::string_view prefix;
  std::size_t more_min;
};
constexpr std::array<Vendor, 11> kVendors{{{"sk-", 20},
                                           {"ghp_", 30},
                                           {"gho_", 30},
                                           {"ghs_", 30},
                                           {"github_pat_", 30},
                                           {"glpat-", 20},
                                           {"xoxb-", 20},
                                           {"botburrow_agent_", 30},
                                           {"botburrow_human_", 30},
                                           {"botburrow_service_", 30},
                                           {"botburrow_admin_", 30}}};

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_unreserved(char c) {
  return is_key_character(c) || c == '.' || c == '~';
}

std::string url_form(std::string_view value, bool upper, bool plus) {
  std::string out;
  for (const char c : value) {
    if (is_unreserved(c))
      out += c;
    else if (plus && c == ' ')
      out += '+';
    else if (upper)
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string json_form(std::string_view value) {
  std::string quoted;
  append_json_string(quoted, value);
  return quoted.substr(1, quoted.size() - 2);
}

/// What is sure to stand in base64 of any text that holds the value `before` bytes behind a group
/// of three: the characters that no other byte has a part in.
std::string base64_form(std::string_view value, std::size_t before) {
  const auto whole = base64_encode(std::string(before, '\0') + std::string(value));
  const auto first = (before * 8 + 5) / 6;
  const auto end = (before + value.size()) * 8 / 6;
  return whole.substr(first, end - first);
}

std::string for_urls(std::string base64) {
  std::ranges::replace(base64, '+', '-');
  std::ranges::replace(base64, '/', '_');
  return base64;
}

std::set<std::string> forms_of(std::string_view value) {
  const auto json = json_form(value);
  auto slashed = json;
  for (std::size_t at = 0; (at = slashed.find('/', at)) != std::string::npos; at += 2)
    slashed.insert(at, 1, '\\');
  auto hex = to_hex(value);
  std::set<std::string> forms{std::string(value),
                              json,
                              slashed,
                              hex,
                              url_form(value, true, false),
                              url_form(value, false, false),
                              url_form(value, true, true)};
  for (char& c : hex)
    c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  forms.insert(hex);
  for (const std::size_t before : {0U, 1U, 2U}) {
    const auto base64 = base64_form(value, before);
    forms.insert(base64);
    forms.insert(for_urls(base64));
  }
  return forms;
}

unsigned two_bytes(std::string_view text) {
  return static_cast<unsigned>(static_cast<unsigned char>(text[0])) << 8U |
         static_cast<unsigned char>(text[1]);
}

/// Length of what looks like a vendor's key here, if anything does.
std::size_t vendors_key_at(std::string_view text, std::size_t at) {
  if (at > 0 && is_key_character(text[at - 1])) return 0;
  const auto rest = text.substr(at);
  for (const auto& vendor : kVendors) {
    if (!rest.starts_with(vendor.prefix)) continue;
    auto end = vendor.prefix.size();
    while (end < rest.size() && is_key_character(rest[end]))
      ++end;
    if (end - vendor.prefix.size() >= vendor.more_min) return end;
  }
  return 0;
}

}  // namespace

struct Scrubber::Forms {
  std::set<std::string> values;
  std::bitset<65536> beginnings;
  std::unordered_map<unsigned, std::vector<std::string>> by_beginning;  // the longest first

  Forms() {
    for (const auto& vendor : kVendors)
      beginnings.set(two_bytes(vendor.prefix));
  }
  void add(std::string_view value) {
    for (const auto& form : forms_of(value)) {
      auto& same = by_beginning[two_bytes(form)];
      if (std::ranges::find(same, form) != same.end()) continue;
      beginnings.set(two_bytes(form));
      same.push_back(form);
      std::ranges::sort(same, std::ranges::greater{}, &std::string::size);
    }
  }
  /// Length of the secret that begins here; 0: none does.
  std::size_t length_at(std::string_view text, std::size_t at) const {
    const auto beginning = two_bytes(text.substr(at));
    if (!beginnings.test(beginning)) return 0;
    if (const auto found = by_beginning.find(beginning); found != by_beginning.end()) {
      for (const auto& form : found->second)
        if (text.substr(at).starts_with(form)) return form.size();
    }
    return vendors_key_at(text, at);
  }
  /// Where the next secret is, and how long.
  std::optional<std::pair<std::size_t, std::size_t>> next(std::string_view text,
                                                          std::size_t from) const {
    for (auto at = from; at + 1 < text.size(); ++at) {
      if (const auto length = length_at(text, at); length > 0) return std::pair{at, length};
    }
    return std::nullopt;
  }
};

Scrubber::Scrubber() : forms_(std::make_shared<const Forms>()) {}
Scrubber::~Scrubber() = default;

std::shared_ptr<const Scrubber::Forms> Scrubber::forms() const {
  const std::scoped_lock lock(mutex_);
  return forms_;
}

void Scrubber::add(const std::vector<Secret>& secrets) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<Forms> more;
  for (const auto& secret : secrets) {
    const auto& value = secret.reveal();
    if (value.size() < kBytesMin || (more ? *more : *forms_).values.contains(value)) continue;
    if (!more) more = std::make_shared<Forms>(*forms_);
    more->values.insert(value);
    more->add(value);
  }
  if (more) forms_ = std::move(more);
}

bool Scrubber::finds_something(std::string_view text) const {
  return forms()->next(text, 0).has_value();
}

std::string Scrubber::scrub(std::string text) const {
  const auto known = forms();
  auto found = known->next(text, 0);
  if (!found) return text;
  std::string clean;
  std::size_t from = 0;
  for (; found; found = known->next(text, from)) {
    clean.append(text, from, found->first - from).append(kMark);
    from = found->first + found->second;
  }
  return clean.append(text, from);
}

json::value Scrubber::scrub_document(json::value document) const {
  if (auto* const text = document.if_string()) {
    if (finds_something(*text)) *text = scrub(std::string(*text));
  } else if (auto* const list = document.if_array()) {
    for (auto& item : *list)
      item = scrub_document(std::move(item));
  } else if (auto* const object = document.if_object()) {
    for (auto& field : *object)
      field.value() = scrub_document(std::move(field.value()));
  }
  return document;
}

namespace {

class ScrubbingSink final : public LogSink {
 public:
  ScrubbingSink(std::shared_ptr<LogSink> sink, std::shared_ptr<const Scrubber> scrubber)
      : sink_(std::move(sink)), scrubber_(std::move(scrubber)) {}
  void write(LogLevel level, std::string_view line) override {
    // Nearly every line is clean, and then is not copied.
    if (!scrubber_->finds_something(line)) return sink_->write(level, line);
    sink_->write(level, scrubber_->scrub(std::string(line)));
  }

 private:
  std::shared_ptr<LogSink> sink_;
  std::shared_ptr<const Scrubber> scrubber_;
};

}  // namespace

std::shared_ptr<LogSink> scrubbing_log_sink(std::shared_ptr<LogSink> sink,
                                            std::shared_ptr<const Scrubber> scrubber) {
  return std::make_shared<ScrubbingSink>(std::move(sink), std::move(scrubber));
}

}  // namespace botburrow
