// A server of the Model Context Protocol on stdio that behaves as its first argument says: well, or
// badly in one particular way. Ends by itself after a minute whatever happens.
#include "base/json.hpp"

#include <boost/json.hpp>

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>

namespace {

using botburrow::json::array;
using botburrow::json::object;
using botburrow::json::value;

void say(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void say(const object& message) {
  say(botburrow::to_json(message));
}

void answer(const value& id, object result) {
  say(object{{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

void refuse(const value& id, int code, const std::string& message) {
  say(object{{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}});
}

void notify(const std::string& method, object params = {}) {
  say(object{{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
}

object text_result(const std::string& text) {
  return {{"content", array{{{"type", "text"}, {"text", text}}}}};
}

object tool(const std::string& name, const std::string& description = "a tool") {
  return {{"name", name},
          {"description", description},
          {"inputSchema", {{"type", "object"}, {"properties", {{"text", {{"type", "string"}}}}}}}};
}

class Server {
 public:
  Server(std::string way, std::string arguments)
      : begins_(way.starts_with("late-")      ? Begins::late
                : way.starts_with("swapped-") ? Begins::late_and_swapped
                                              : Begins::at_once),
        way_(without(without(std::move(way), "late-"), "swapped-")),
        arguments_(std::move(arguments)) {}

  int run() {
    if (way_ == "ignores-eof") ::signal(SIGTERM, SIG_IGN);
    if (way_ == "complains") {
      for (int i = 0; i < 20'000; ++i)
        std::fprintf(stderr, "complaint %d of a server that has much to complain of\n", i);
    }
    if (way_ == "floods-at-start") flood();
    if (way_ == "prints") say("This is a banner that does not belong here.");
    for (std::string line; std::getline(std::cin, line);) {
      // It begins only once two requests have come, as a slow start looks from outside.
      if (std::string second; begins_ != Begins::at_once && std::getline(std::cin, second)) {
        if (begins_ == Begins::late_and_swapped) std::swap(line, second);
        begins_ = Begins::at_once;
        if (!take_line(line)) return 3;
        line = std::move(second);
      }
      if (!take_line(line)) return 3;
    }
    if (way_ == "ignores-eof") ::pause();
    return 0;
  }

 private:
  enum class Begins { at_once, late, late_and_swapped };

  static std::string without(std::string way, const std::string& prefix) {
    return way.starts_with(prefix) ? way.substr(prefix.size()) : way;
  }

  bool take_line(const std::string& line) {
    const auto message = botburrow::try_parse_json(line);
    return !message || take(*message);
  }

  static void flood() {
    for (;;)
      notify("notifications/message", {{"data", std::string(1000, 'x')}});
  }

  bool modern() const { return way_ == "modern" || way_ == "modern-only" || way_ == "later"; }

  /// False ends the program.
  bool take(const value& message) {
    const auto method = botburrow::string_field(message, "method").value_or("");
    const auto& fields = message.get_object();
    const value id = fields.contains("id") ? fields.at("id") : value();
    const value params = fields.contains("params") ? fields.at("params") : value(object());
    if (method.empty()) {
      heard_ += (heard_.empty() ? "" : " ") + botburrow::to_json(message);
      return true;
    }
    if (id.is_null()) {
      notes_ += (notes_.empty() ? "" : " ") + method;
      return true;
    }
    if (way_ == "hangs") return true;
    if (method == "server/discover") return discover(id);
    if (method == "initialize") return initialize(id, params);
    if (method == "tools/list") return list(id, params);
    if (method == "tools/call") return call(id, params);
    refuse(id, -32601, "no such method: " + method);
    return true;
  }

  bool discover(const value& id) {
    if (way_ == "dies-when-probed") {
      std::fprintf(stderr, "expected initialize\n");
      return false;
    }
    if (way_ == "silent-when-probed") return true;
    if (way_ == "later") {
      say(object{{"jsonrpc", "2.0"},
                 {"id", id},
                 {"error",
                  {{"code", -32022},
                   {"message", "Unsupported protocol version"},
                   {"data", {{"supported", array{"2031-01-01"}}, {"requested", "2026-07-28"}}}}}});
      return true;
    }
    if (!modern()) {
      refuse(id, -32601, "Method not found");
      return true;
    }
    answer(id, {{"resultType", "complete"},
                {"supportedVersions", array{"2026-07-28"}},
                {"capabilities", {{"tools", {{"listChanged", true}}}}},
                {"_meta",
                 {{"io.modelcontextprotocol/serverInfo", {{"name", "fake"}, {"version", "1"}}}}}});
    return true;
  }

  bool initialize(const value& id, const value& params) {
    if (way_ == "modern-only" || way_ == "refuses-greetings") {
      refuse(id, -32601, "Method not found: initialize");
      return true;
    }
    const auto asked = botburrow::string_field(params, "protocolVersion").value_or("");
    const std::string revision = way_ == "old"   ? "2024-11-05"
                                 : way_ == "odd" ? "1999-01-01"
                                                 : asked;
    answer(id, {{"protocolVersion", revision},
                {"capabilities", {{"tools", {{"listChanged", true}}}}},
                {"serverInfo", {{"name", "fake"}, {"version", "1"}}}});
    return true;
  }

  bool list(const value& id, const value& params) {
    const auto cursor = botburrow::string_field(params, "cursor").value_or("");
    object page{{"resultType", "complete"}};
    if (way_ == "circles") {
      page["tools"] = array{tool("round")};
      page["nextCursor"] = "again";
    } else if (way_ == "many") {
      array tools;
      for (int i = 0; i < 400; ++i)
        tools.push_back(tool("tool_" + cursor + "_" + std::to_string(i)));
      page["tools"] = std::move(tools);
      page["nextCursor"] = cursor + "x";
    } else if (way_ == "long-winded") {
      array tools;
      for (int i = 0; i < 60; ++i)
        tools.push_back(tool("tool_" + std::to_string(i), std::string(8000, 'x')));
      page["tools"] = std::move(tools);
    } else if (way_ == "hides") {
      auto hidden = tool("hidden");
      hidden["inputSchema"] = {
          {"type", "object"},
          {"properties", {{"text", {{"description", "pl\u200bain\U000E0041"}}}}}};
      page["tools"] = array{hidden};
    } else if (way_ == "begins-blank") {
      page["tools"] = array{tool("echo", "\n\n  Says what it is told.\n\nMore of it.\n")};
    } else if (cursor.empty()) {
      page["tools"] =
          array{tool("echo", way_ == "other" ? "says it otherwise" : "says what it is told"),
                tool("slow")};
      page["nextCursor"] = "page 2";
    } else {
      auto shaped = tool("shaped");
      shaped["outputSchema"] = {{"type", "object"},
                                {"required", array{"n"}},
                                {"properties", {{"n", {{"type", "integer"}}}}}};
      page["tools"] = array{tool(changed_ ? "renamed" : "last"), shaped, {{"name", "broken"}}};
    }
    answer(id, std::move(page));
    return true;
  }

  bool call(const value& id, const value& params) {
    const auto name = botburrow::string_field(params, "name").value_or("");
    const auto* arguments = botburrow::find_field(params, "arguments");
    const auto text =
        arguments ? botburrow::string_field(*arguments, "text").value_or("") : std::string();
    if (name == "slow") {
      last_slow_ = id;
      return true;
    }
    if (name == "shaped") {
      auto result = text_result("n");
      result["structuredContent"] = {{"n", text == "lie" ? value("one") : value(1)}};
      answer(id, std::move(result));
      return true;
    }
    if (way_ == "dies-in-call") {
      std::fprintf(stderr, "segmentation of my faults\n");
      return false;
    }
    if (way_ == "floods") flood();
    if (way_ == "wrong-id") {
      answer(value(9999), text_result("not yours"));
      answer(value("seven"), text_result("nor yours"));
      say(object{{"jsonrpc", "2.0"}, {"error", {{"code", -1}, {"message", "for nobody"}}}});
      if (text == "right at last") answer(id, text_result(text));
      return true;
    }
    if (way_ == "garbage") {
      say(std::string("{\"jsonrpc\": \"2.0\", \"id\": "));
      say(std::string("[]"));
      say(std::string("\xff\xfe not even text"));
      answer(id, text_result("after the garbage"));
      return true;
    }
    if (way_ == "huge") {
      auto result = text_result(std::string(static_cast<std::size_t>(3) << 20, 'x'));
      if (text == "small") result = text_result("small");
      answer(id, std::move(result));
      return true;
    }
    if (way_ == "asks") {
      int request = 100;
      for (const auto* method : {"ping", "roots/list", "sampling/createMessage"})
        say(object{{"jsonrpc", "2.0"}, {"id", ++request}, {"method", method}});
      std::string line;
      for (int i = 0; i < 3 && std::getline(std::cin, line); ++i)
        heard_ += (heard_.empty() ? "" : " ") + line;
      answer(id, text_result(heard_));
      return true;
    }
    if (way_ == "progress") {
      const auto* about = botburrow::find_field(params, "_meta");
      const auto* token = about ? botburrow::find_field(*about, "progressToken") : nullptr;
      const int steps = std::atoi(text.c_str());
      for (int i = 1; i <= steps; ++i) {
        ::usleep(50'000);
        notify("notifications/progress",
               {{"progressToken", token ? *token : value()}, {"progress", i}, {"total", steps}});
      }
      answer(id, text_result("done"));
      return true;
    }
    if (way_ == "changes" && !changed_) {
      changed_ = true;
      notify("notifications/tools/list_changed");
    }
    if (text == "what did you hear?") {
      answer(id, text_result(notes_));
      return true;
    }
    if (text == "fail") {
      auto result = text_result("it did not work");
      result["isError"] = true;
      answer(id, std::move(result));
      return true;
    }
    if (text == "refuse") {
      refuse(id, -32602, "Unknown tool");
      return true;
    }
    if (text == "what are your arguments?") {
      answer(id, text_result(arguments_));
      return true;
    }
    if (text.starts_with("$")) {
      const char* value_of = std::getenv(text.c_str() + 1);
      answer(id, text_result(value_of ? value_of : "(unset)"));
      return true;
    }
    if (text.starts_with("sh: ")) {
      answer(id, text_result(said_by(text.substr(4))));
      return true;
    }
    answer(id, text_result("echo: " + text));
    return true;
  }

  static std::string said_by(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
    if (!pipe) return "no shell";
    std::array<char, 4096> piece{};
    while (const auto count = std::fread(piece.data(), 1, piece.size(), pipe))
      out.append(piece.data(), count);
    ::pclose(pipe);
    return out;
  }

  Begins begins_;
  std::string way_, arguments_;
  std::string heard_, notes_;
  value last_slow_;
  bool changed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  ::alarm(60);
  std::string arguments;
  for (int i = 2; i < argc; ++i)
    arguments += std::string(i > 2 ? " " : "") + argv[i];
  return Server(argc > 1 ? argv[1] : "good", arguments).run();
}
