#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::test {

/// A real Chromium without a window, told what to do over a pipe (DevTools protocol). It and its
/// profile are gone with this object. The io_context of the test runs while it is waited for, so
/// that the pages may come from a server of the test. Throws std::runtime_error with what Chromium
/// said.
class Browser {
 public:
  /// Where Chromium is; nothing where there is none, and tests skip.
  static std::optional<std::string> program();

  explicit Browser(boost::asio::io_context& ioc);
  ~Browser();
  Browser(const Browser&) = delete;

  struct Screen {
    int width = 1280, height = 800;
    bool dark = false;
    bool phone = false;
  };
  void screen(Screen screen);
  /// Returns once the page and all that it names is loaded.
  void open(const std::string& url);
  /// The value of a JavaScript expression; promises are awaited.
  boost::json::value eval(const std::string& expression);
  /// Runs until the expression is true; false when `limit` passes first.
  bool until(const std::string& expression,
             std::chrono::nanoseconds limit = std::chrono::seconds(15));
  /// Presses a key as the keyboard does, e.g. "j" or "Enter".
  void press(const std::string& key);
  void screenshot(const std::filesystem::path& file, bool whole_page = false);

  /// Bytes that came over the wire since open(), heads included.
  std::int64_t bytes() const { return bytes_; }
  /// What pages complained about: exceptions, refused scripts, failed loads.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  boost::json::value call(const std::string& method, boost::json::object params);
  void send(const std::string& method, boost::json::object params, bool to_page);
  bool pump();
  void take(const std::string& message);
  void note(const boost::json::object& event);
  void close();

  boost::asio::io_context& ioc_;
  std::filesystem::path profile_;
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string received_;
  std::string session_;
  int id_ = 0;
  std::optional<boost::json::object> answer_;
  bool loaded_ = false;
  std::int64_t bytes_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace botburrow::test
