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
  /// Read the same way.
  std::string answer_in(const std::string& id) {
    const auto keys = parse_json(folder_.read("data/keys.json"), "keys.json");
    std::string answer;
    eventually("anna answers", [&] {
      const auto thread =
          http({.url = text_of(ready_, "hub") + "/api/v1/posts/" + id + "?include_comments=true",
                .headers = {{"Authorization", "Bearer " + text_of(keys, "owner")}}});
      const auto read = parse_json(thread.body, "thread");
      for (const auto& comment : array_field(read, "comments")) {
        if (text_of(comment.at("author"), "name") == "anna") answer = text_of(comment, "content");
      }
      return !answer.empty();
    });
    return answer;
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
  const std::vector<std::string> forms{key, base64_encode(key), to_hex(key),
                                       "canary%2FKey%2Bwith%3Asigns-0123456789abcdef"};
  for (const auto& form : forms)
    secret(form);
  set("OPENAI_API_KEY", key);
  up({"--llm", "offline"});

  // What a person wrote, a program printed, a file held, an error said, a post would say.
  const auto fill = [&](std::string_view text) {
    return fmt::format(fmt::runtime(text), forms[0], forms[1], forms[2], forms[3]);
  };
  const auto answers = {
      answer_in(post_quietly(
          fill(R"(@anna use tool Bash {{"command": "echo {0} {1} {2} {3} end; echo {0} >&2"}})"))),
      answer_in(post_quietly(
          fill(R"(@anna use tool Write {{"file_path": "{0}.txt", "content": "{0}\n"}} )"
               R"(use tool Read {{"file_path": "no/{0}"}})"))),
      answer_in(post_quietly(
          fill(R"(@anna use tool hub_post {{"content": "my key is {0} or {2}", "title": "{1}"}} )"
               R"(use tool {0} {{"x": "{0}"}})")))};

  EXPECT_THAT(*answers.begin(), HasSubstr("[secret removed] end"));
  for (const auto& answer : answers) {
    for (const auto& form : forms)
      EXPECT_THAT(answer, Not(HasSubstr(form)));
  }
  expect_in_no_file(forms);
  EXPECT_THAT(get(text_of(ready_, "runner") + "/metrics").body, Not(HasSubstr(key)));
  // What these print is looked at with all that was printed, at the end.
  ask({"status", "--data", data(), "--json"});
  ask({"activations", "--data", data(), "--json"});
  run({"config", "--service", "runner"}, {{"OPENAI_API_KEY", key}});
  run({"status", "--data", data()});
}

// Keys that the program made itself, variables that it never reads, and what looks like a key.
TEST_F(Canary, SecretsThatAreNoSettingsAreKeptToo) {
  const auto token = secret("some-vendors-token-0123456789");
  const auto unknown = secret("ghp_" + std::string(36, 'x'));
  set("SOME_VENDORS_TOKEN", token);
  up({"--llm", "offline"});
  const auto owner =
      text_of(parse_json(folder_.read("data/keys.json"), "keys.json").as_object(), "owner");
  const std::vector<std::string> forms{token, unknown, owner, secret(to_hex(owner))};
  const auto answer = answer_in(
      post_quietly(fmt::format(R"(@anna use tool Bash {{"command": "echo {} {} {} {} end"}})",
                               forms[0], forms[1], forms[2], forms[3])));
  EXPECT_THAT(answer, HasSubstr("[secret removed] [secret removed] [secret removed] [secret "
                                "removed] end"));
  expect_in_no_file(forms);
}

TEST_F(Canary, MemoryGoesIntoNoCoreDump) {
  auto& program = up({"--llm", "offline"});
  const auto limits = content_of(fmt::format("/proc/{}/limits", program.pid()));
  EXPECT_THAT(limits, ::testing::ContainsRegex("Max core file size +0 +0 "));
}

}  // namespace
}  // namespace botburrow::e2e
