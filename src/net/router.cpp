#include "net/router.hpp"

#include "base/error.hpp"
#include "net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace botburrow::net {
namespace {

constexpr std::size_t kPartsMax = 64;

struct Endpoint {
  std::size_t index = 0;
  std::vector<std::string> names;
};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  path.remove_prefix(1);
  for (;;) {
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

struct Router::Node {
  using Endpoints = std::map<std::string, Endpoint, std::less<>>;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> name;
  Endpoints endpoints;  // of the path that ends here, by method
  Endpoints rest;       // of `*name` from here on

  struct Found {
    const Endpoints* endpoints;
    std::vector<std::string> values;
  };

  /// Every template that fits the parts from `at` on, best first.
  void collect(const std::vector<std::string>& parts, std::size_t at,
               std::vector<std::string>& values, std::vector<Found>& found) const {
    if (at == parts.size()) {
      if (!endpoints.empty()) found.push_back({&endpoints, values});
      return;
    }
    const auto literal = literals.find(parts[at]);
    if (literal != literals.end()) literal->second->collect(parts, at + 1, values, found);
    if (name && !parts[at].empty()) {
      values.push_back(parts[at]);
      name->collect(parts, at + 1, values, found);
      values.pop_back();
    }
    if (rest.empty()) return;
    std::string joined = parts[at];
    for (std::size_t i = at + 1; i < parts.size(); ++i)
      joined += '/' + parts[i];
    values.push_back(std::move(joined));
    found.push_back({&rest, values});
    values.pop_back();
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(std::string_view method, std::string_view path_template, std::size_t index) {
  const auto refuse = [&](std::string_view why) {
    return Error(errc::invalid_argument,
                 fmt::format("route {} {}: {}", method, path_template, why));
  };
  if (path_template.empty() || path_template.front() != '/')
    throw refuse("a template begins with /");
  Node* node = root_.get();
  Endpoint endpoint{index, {}};
  Node::Endpoints* place = nullptr;
  for (const auto part : parts_of(path_template)) {
    if (place != nullptr) throw refuse("only the last part can take the rest");
    if (part.size() > 1 && part.front() == ':') {
      endpoint.names.emplace_back(part.substr(1));
      if (!node->name) node->name = std::make_unique<Node>();
      node = node->name.get();
    } else if (part.size() > 1 && part.front() == '*') {
      endpoint.names.emplace_back(part.substr(1));
      place = &node->rest;
    } else {
      auto& next = node->literals[std::string(part)];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
    }
  }
  if (place == nullptr) place = &node->endpoints;
  if (!place->emplace(method, std::move(endpoint)).second)
    throw refuse("there is such a route already");
}

Router::Match Router::find(std::string_view method, std::string_view raw_path) const {
  Match match;
  if (raw_path.empty() || raw_path.front() != '/') return match;
  const auto raw_parts = parts_of(raw_path);
  if (raw_parts.size() > kPartsMax) return match;
  std::vector<std::string> parts;
  for (const auto raw : raw_parts) {
    auto part = decode_path(raw);
    if (!part) return match;
    parts.push_back(std::move(*part));
  }
  std::vector<Node::Found> found;
  std::vector<std::string> values;
  root_->collect(parts, 0, values, found);

  std::set<std::string> allowed;
  for (const auto& one : found) {
    for (const auto& [name, endpoint] : *one.endpoints)
      allowed.insert(name);
  }
  if (allowed.contains("GET")) allowed.insert("HEAD");
  match.allowed.assign(allowed.begin(), allowed.end());

  const auto choose = [&](std::string_view wanted) {
    for (auto& one : found) {
      const auto endpoint = one.endpoints->find(wanted);
      if (endpoint == one.endpoints->end()) continue;
      match.route = endpoint->second.index;
      for (std::size_t i = 0; i < one.values.size(); ++i) {
        match.params[endpoint->second.names[i]] = one.values[i];
      }
      return true;
    }
    return false;
  };
  if (!choose(method) && method == "HEAD") choose("GET");
  return match;
}

std::optional<std::string> decode_path(std::string_view raw) {
  std::string plus_kept;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '%' && (i + 2 >= raw.size() || !is_hex(raw[i + 1]) || !is_hex(raw[i + 2])))
      return std::nullopt;
    if (raw[i] == '+') {
      plus_kept += "%2B";
    } else {
      plus_kept += raw[i];
    }
  }
  std::string text = url_decode(plus_kept);
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (control) return std::nullopt;
  return text;
}

}  // namespace botburrow::net
