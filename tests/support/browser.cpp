#include "tests/support/browser.hpp"

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "tests/support/run_task.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace botburrow::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  }
  int ends[2];
};

// Chromium reads commands from descriptor 3 and writes to 4.
pid_t start(const std::string& program, const std::string& profile, int commands, int answers) {
  std::vector<std::string> args{program,
                                "--headless=new",
                                "--no-sandbox",
                                "--disable-gpu",
                                "--disable-dev-shm-usage",
                                "--disable-background-networking",
                                "--disable-component-update",
                                "--disable-extensions",
                                "--disable-sync",
                                "--no-first-run",
                                "--no-default-browser-check",
                                "--mute-audio",
                                "--hide-scrollbars",
                                "--remote-debugging-pipe",
                                "--user-data-dir=" + profile,
                                "about:blank"};
  std::vector<char*> argv;
  for (auto& arg : args)
    argv.push_back(arg.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  // Above 4 first, so that neither overwrites the other.
  posix_spawn_file_actions_adddup2(&actions, commands, 103);
  posix_spawn_file_actions_adddup2(&actions, answers, 104);
  posix_spawn_file_actions_adddup2(&actions, 103, 3);
  posix_spawn_file_actions_adddup2(&actions, 104, 4);
  posix_spawn_file_actions_addclose(&actions, 103);
  posix_spawn_file_actions_addclose(&actions, 104);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int fault = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (fault != 0) throw std::runtime_error("chromium cannot be started");
  return pid;
}

std::string text_of(const json::object& object, std::string_view key) {
  return string_field(json::value(object), key).value_or("");
}

}  // namespace

std::optional<std::string> Browser::program() {
  if (const char* named = std::getenv("CHROMIUM")) return named;
  // The program itself, not the script around it, which would keep the pipes from it.
  for (const char* path : {"/usr/lib/chromium/chromium", "/usr/bin/chromium"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return std::nullopt;
}

Browser::Browser(boost::asio::io_context& ioc)
    : ioc_(ioc),
      profile_(std::filesystem::temp_directory_path() / ("bb-browser-" + system_random().uuid4())) {
  std::filesystem::create_directories(profile_);
  Pipe commands, answers;
  pid_ = start(program().value(), profile_.string(), commands.ends[0], answers.ends[1]);
  ::close(commands.ends[0]);
  ::close(answers.ends[1]);
  to_ = commands.ends[1];
  from_ = answers.ends[0];
  ::fcntl(from_, F_SETFL, O_NONBLOCK);
  const auto target = call("Target.createTarget", {{"url", "about:blank"}});
  const auto attached =
      call("Target.attachToTarget", {{"targetId", target.at("targetId")}, {"flatten", true}});
  session_ = attached.at("sessionId").as_string();
  for (const char* domain : {"Page.enable", "Runtime.enable", "Network.enable", "Log.enable"})
    call(domain, {});
}

Browser::~Browser() {
  close();
}

void Browser::close() {
  if (to_ >= 0) ::close(to_);
  if (from_ >= 0) ::close(from_);
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  for (int i = 0; i < 50 && std::filesystem::exists(profile_, ignored); ++i) {
    std::filesystem::remove_all(profile_, ignored);
    // Its children may still be writing their last words.
    if (ignored) ::usleep(20'000);
  }
}

void Browser::screen(Screen screen) {
  call("Emulation.setDeviceMetricsOverride", {{"width", screen.width},
                                              {"height", screen.height},
                                              {"deviceScaleFactor", 1},
                                              {"mobile", screen.phone}});
  call("Emulation.setEmulatedMedia",
       {{"features", json::array{{{"name", "prefers-color-scheme"},
                                  {"value", screen.dark ? "dark" : "light"}}}}});
}

void Browser::open(const std::string& url) {
  loaded_ = false;
  bytes_ = 0;
  const auto answer = call("Page.navigate", {{"url", url}});
  if (const auto* fault = find_field(answer, "errorText"))
    throw std::runtime_error(url + ": " + to_json(*fault));
  if (!run_until(ioc_, [this] { return pump() && loaded_; }, kPatience))
    throw std::runtime_error(url + " was not loaded in time");
}

json::value Browser::eval(const std::string& expression) {
  const auto answer =
      call("Runtime.evaluate",
           {{"expression", expression}, {"awaitPromise", true}, {"returnByValue", true}});
  if (const auto* fault = find_field(answer, "exceptionDetails"))
    throw std::runtime_error(expression + ": " + to_json(*fault).substr(0, 600));
  const auto* result = find_field(answer, "result");
  const auto* value = result ? find_field(*result, "value") : nullptr;
  return value ? *value : json::value(nullptr);
}

bool Browser::until(const std::string& expression, std::chrono::nanoseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    const auto value = eval("Boolean(" + expression + ")");
    if (value.is_bool() && value.get_bool()) return true;
    run_until(ioc_, [] { return false; }, 30ms);
  }
  return false;
}

void Browser::press(const std::string& key) {
  json::object event{{"type", "keyDown"}, {"key", key}};
  if (key.size() == 1) event["text"] = key;
  if (key == "Enter") {
    event["text"] = "\r";
    event["windowsVirtualKeyCode"] = 13;
  }
  call("Input.dispatchKeyEvent", event);
  event["type"] = "keyUp";
  event.erase("text");
  call("Input.dispatchKeyEvent", event);
}

void Browser::screenshot(const std::filesystem::path& file, bool whole_page) {
  const auto answer =
      call("Page.captureScreenshot", {{"format", "png"}, {"captureBeyondViewport", whole_page}});
  const auto bytes = base64_decode(answer.at("data").as_string());
  std::ofstream(file, std::ios::binary) << bytes.value();
}

json::value Browser::call(const std::string& method, json::object params) {
  answer_.reset();
  send(method, std::move(params), !session_.empty());
  if (!run_until(ioc_, [this] { return !pump() || answer_; }, kPatience) || !answer_)
    throw std::runtime_error("chromium does not answer " + method);
  if (const auto* fault = answer_->if_contains("error"))
    throw std::runtime_error(method + ": " + to_json(*fault));
  return answer_->at("result");
}

void Browser::send(const std::string& method, json::object params, bool to_page) {
  json::object message{{"id", ++id_}, {"method", method}, {"params", std::move(params)}};
  if (to_page) message["sessionId"] = session_;
  auto text = to_json(message);
  text += '\0';
  for (std::size_t at = 0; at < text.size();) {
    const auto count = ::write(to_, text.data() + at, text.size() - at);
    if (count <= 0) throw std::runtime_error("chromium is gone");
    at += static_cast<std::size_t>(count);
  }
}

/// Takes what has come. False: Chromium is gone.
bool Browser::pump() {
  char bytes[65536];
  for (;;) {
    const auto count = ::read(from_, bytes, sizeof bytes);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    received_.append(bytes, static_cast<std::size_t>(count));
    for (auto end = received_.find('\0'); end != std::string::npos; end = received_.find('\0')) {
      const auto message = received_.substr(0, end);
      received_.erase(0, end + 1);
      take(message);
    }
  }
}

void Browser::take(const std::string& text) {
  auto message = try_parse_json(text);
  if (!message || !message->is_object()) return;
  if (int_field(*message, "id") == id_)
    answer_ = std::move(message->get_object());
  else
    note(message->get_object());
}

void Browser::note(const json::object& event) {
  const auto method = text_of(event, "method");
  const auto* params = event.if_contains("params");
  if (!params) return;
  if (method == "Page.loadEventFired") loaded_ = true;
  if (method == "Network.dataReceived" || method == "Network.responseReceived") {
    const auto* whole =
        method == "Network.responseReceived" ? find_field(*params, "response") : params;
    if (whole) bytes_ += int_field(*whole, "encodedDataLength").value_or(0);
  }
  if (method == "Runtime.exceptionThrown") complaints_.push_back(to_json(*params).substr(0, 1000));
  if (method == "Log.entryAdded") {
    const auto* entry = find_field(*params, "entry");
    if (entry && string_field(*entry, "level") == "error")
      complaints_.push_back(string_field(*entry, "text").value_or("") + " " +
                            string_field(*entry, "url").value_or(""));
  }
}

}  // namespace botburrow::test
