#pragma once

#include "base/log.hpp"
#include "base/secret.hpp"

#include <boost/json/fwd.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace botburrow {

/// Takes secrets out of texts that leave the process: log lines, journals, results of tools, posts,
/// errors. It knows the values that this process was given, and finds each of them as it is, as it
/// stands in JSON, in base64 (either alphabet, any alignment), in hexadecimal and in a URL. Beside
/// those it finds what looks like a key of well-known vendors.
///
/// The last line, not the first: a `Secret` cannot be printed by accident, and a sandbox holds
/// none. Safe from any thread.
class Scrubber {
 public:
  /// What stands in the place of a secret.
  static constexpr std::string_view kMark = "[secret removed]";
  /// A shorter value is not looked for: it would tear up ordinary words.
  static constexpr std::size_t kBytesMin = 8;

  Scrubber();
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;

  /// Safe to repeat. Many are added at once: each call copies all that is known.
  void add(const std::vector<Secret>& secrets);
  void add(Secret secret) { add(std::vector{std::move(secret)}); }

  /// The text without them. One pass, whatever the text and however many secrets.
  std::string scrub(std::string text) const;
  bool finds_something(std::string_view text) const;
  /// Every text in a document, names of fields excepted.
  boost::json::value scrub_document(boost::json::value document) const;

 private:
  struct Forms;
  std::shared_ptr<const Forms> forms() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Forms> forms_;
};

/// Passes lines on to `sink` without secrets.
std::shared_ptr<LogSink> scrubbing_log_sink(std::shared_ptr<LogSink> sink,
                                            std::shared_ptr<const Scrubber> scrubber);

}  // namespace botburrow
