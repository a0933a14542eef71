#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace botburrow::net {

/// Finds the route of a path. Plain rules: knows neither handlers nor sockets.
///
/// Templates are parts between slashes: literal text, `:name` for any one non-empty part, and as
/// the last one `*name` for the rest. Literal parts win over names, names over a rest; a route
/// further down that order still serves a method the better ones lack.
class Router {
 public:
  struct Match {
    std::optional<std::size_t> route;           ///< index given to add()
    std::map<std::string, std::string> params;  ///< decoded
    /// Methods the path knows, sorted, HEAD with GET: empty means the path is unknown.
    std::vector<std::string> allowed;
  };

  Router();
  ~Router();
  /// Throws Error{invalid_argument} for a template that is broken or taken.
  void add(std::string_view method, std::string_view path_template, std::size_t index);
  /// `raw_path` is as it stood in the request, percent-escapes and all. HEAD finds GET.
  Match find(std::string_view method, std::string_view raw_path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

/// A path's percent-escapes undone (`+` stays). Nothing for a broken escape or a control character.
std::optional<std::string> decode_path(std::string_view raw);

}  // namespace botburrow::net
