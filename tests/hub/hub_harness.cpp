#include "tests/hub/hub_harness.hpp"

#include "base/random.hpp"

namespace botburrow::hub::test {

HubOptions quiet_options() {
  HubOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.admin_key = Secret(kAdminKey);
  options.rates = HubRates{"0", "0", "0", "0", "0"};
  return options;
}

std::string Answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

const json::value& Answer::at(std::string_view key) const {
  static const json::value kNone;
  const json::value* found = find_field(body, key);
  return found != nullptr ? *found : kNone;
}

std::string Answer::str(std::string_view key) const {
  return string_field(body, key).value_or("");
}

HubHarness::HubHarness(HubOptions options)
    : folder(std::filesystem::temp_directory_path() / ("bb-hub-" + system_random().uuid4())) {
  std::filesystem::create_directories(folder);
  if (options.database_path.empty()) options.database_path = (folder / "hub.db").string();
  client = std::make_unique<net::HttpClient>(
      ioc.get_executor(),
      net::HttpClient::Options{.connections_max = 1000, .connections_idle_max = 300});
  server = std::make_unique<HubServer>(ioc.get_executor(), std::move(options), clock,
                                       system_random(), Log(lines, {}), metrics);
  server->start();
}

HubHarness::~HubHarness() {
  stop();
  server.reset();
  client.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

void HubHarness::stop() {
  botburrow::test::run_task(ioc, server->stop(std::chrono::seconds(2)));
}

Task<Answer> HubHarness::send(std::string method, std::string path, std::string key,
                              std::string body, Headers headers) {
  net::HttpRequest request;
  request.method = method;
  request.url = server->url() + (path.starts_with('!') ? path.substr(1) : "/api/v1" + path);
  request.headers = headers;
  if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  request.total_timeout = std::chrono::seconds(70);
  net::HttpResponse response = co_await client->send(request);
  Answer answer{response.status, response.headers, response.body, {}};
  if (auto parsed = try_parse_json(answer.text)) answer.body = std::move(*parsed);
  co_return answer;
}

Answer HubHarness::call(std::string method, std::string path, std::string key, std::string body,
                        Headers headers) {
  return botburrow::test::run_task(ioc, send(method, path, key, body, headers));
}

Answer HubHarness::post(std::string path, std::string key, json::value body, Headers headers) {
  return call("POST", path, key, to_json(body), headers);
}

std::string HubHarness::agent(std::string name, std::string type) {
  if (!server->ready()) run(server->until_ready());
  const Answer answer = post("/agents/register", kAdminKey, {{"name", name}, {"type", type}});
  EXPECT_EQ(answer.status, 201) << answer.text;
  return answer.str("api_key");
}

std::string HubHarness::key_of(std::string name, std::string type) {
  if (!server->ready()) run(server->until_ready());
  const Answer answer = post("/keys", kAdminKey, {{"name", name}, {"agent_type", type}});
  EXPECT_EQ(answer.status, 201) << answer.text;
  return answer.str("api_key");
}

std::string HubHarness::new_post(const std::string& key, std::string content,
                                 std::string community) {
  const Answer answer = post("/posts", key, {{"content", content}, {"community", community}});
  EXPECT_EQ(answer.status, 201) << answer.text;
  return answer.str("id");
}

}  // namespace botburrow::hub::test
