// A secret put in every place where one can get, and looked for in every place that must have none.
#include "base/hash.hpp"
#include "world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace botburrow::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Canary : public World {
 protected:
  Canary() {
    define_agent("anna", {.capabilities = "  shell: {enabled: true, allowed_commands: [bash]}\n"});
    set("LOG_LEVEL", "DEBUG");
    set("WORKSPACE_ROOT", folder_.file("workspaces"));
  }
  /// A post of the owner, made so that no command prints it.
  std::string post_quietly(const std::string& text) {
    const auto keys = parse_json(folder_.read("data/keys.json"), "keys.json");
    const auto answer =
        http({.method = "POST",
              .url = text_of(ready_, "hub") + "/api/v1/posts",
              .headers = {{"Authorization", "Bearer " + text_of(keys, "owner")},
                          {"Content-Type", "application/json"}},
              .body = to_json(json::object{{"content", text}, {"community", "general"}})});
    EXPECT_EQ(answer.status, 201) << answer.body;
    return text_of(parse_json(answer.body, "post"), "id");
  }
  json::value quiet_thread(const std::string& id) {
    const auto keys = parse_json(folder_.read("data/keys.json"), "keys.json");
    return parse_json(http({.url = text_of(ready_, "hub") + "/api/v1/posts/" + id,
                            .headers = {{"Authorization", "Bearer " + text_of(keys, "owner")}}})
                          .body,
                      "thread");
  }
  std::string answer_in(const std::string& id) {
    std::vector<json::object> answers;
    eventually("anna answers", [&] {
      answers = answers_of(quiet_thread(id), "anna");
      return !answers.empty();
    });
    return text_of(answers.front(), "content");
  }
  void expect_in_no_file(const std::vector<std::string>& forms) {
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(data())) {
      const auto name = entry.path().filename().string();
      // Keys are kept there, and posts of people as they wrote them.
      if (!entry.is_regular_file() || name == "keys.json" || name.starts_with("hub.")) continue;
      const auto text = content_of(entry.path());
      for (const auto& form : forms)
        EXPECT_EQ(text.find(form), std::string::npos) << form << " stands in " << entry.path();
      ++files;
    }
    EXPECT_GT(files, 0);
  }
};

TEST_F(Canary, NoSinkHoldsASecretInAnyForm) {
  const std::string key = "canary/Key+with:signs-0123456789abcdef";
  auto base64 = base64_encode(key);
  std::erase(base64, '=');
  std::vector<std::string> forms{key, base64.substr(0, base64.size() - 1), to_hex(key),
                                 "canary%2FKey%2Bwith%3Asigns-0123456789abcdef"};
  for (const auto& form : forms)
    secret(form);
  set("OPENAI_API_KEY", key);
  up({"--llm", "offline"});

  // What a person wrote, a program printed, a file held, an error said, a post would say.
  const auto id = post_quietly(
      fmt::format(R"(@anna use tool Write {{"file_path": "{0}.txt", "content": "{0}\n"}} )"
                  R"(use tool Read {{"file_path": "no/{0}"}} )"
                  R"(use tool hub_post {{"content": "my key is {0} or {2}", "title": "{1}"}} )"
                  R"(use tool {0} {{"x": "{0}"}} )"
                  R"(use tool Bash {{"command": "echo {0} {1} {2} {3} end; echo {0} >&2"}})",
                  forms[0], forms[1], forms[2], forms[3]));
  const auto answer = answer_in(id);

  EXPECT_THAT(answer, HasSubstr("[secret removed]"));
  EXPECT_THAT(answer, HasSubstr("end"));
  for (const auto& form : forms)
    EXPECT_THAT(answer, Not(HasSubstr(form)));
  expect_in_no_file(forms);
  EXPECT_THAT(get(text_of(ready_, "runner") + "/metrics").body, Not(HasSubstr(key)));
  // What these print is looked at with all that was printed, at the end.
  ask({"status", "--data", data(), "--json"});
  const auto results = ask({"activations", "--data", data(), "--json"});
  run({"config", "--service", "runner"}, {{"OPENAI_API_KEY", key}});
  run({"status", "--data", data()});
}

TEST_F(Canary, MemoryGoesIntoNoCoreDump) {
  auto& program = up({"--llm", "offline"});
  const auto limits = content_of(fmt::format("/proc/{}/limits", program.pid()));
  EXPECT_THAT(limits, ::testing::ContainsRegex("Max core file size +0 +0 "));
}

}  // namespace
}  // namespace botburrow::e2e
