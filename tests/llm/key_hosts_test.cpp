#include "llm/key_hosts.hpp"

#include "llm/providers.hpp"

#include <gtest/gtest.h>

namespace botburrow::llm {
namespace {

bool goes(const std::string& url, const KeyHosts& hosts = {},
          std::string_view key = "OPENAI_API_KEY") {
  return vendor_key_may_go(key, url, hosts);
}

TEST(KeyHosts, EachVendorsKeyGoesToItsOwnHostOverHttps) {
  struct Row {
    std::string key, url;
  };
  const std::vector<Row> rows{
      {"ANTHROPIC_API_KEY", "https://api.anthropic.com"},
      {"OPENAI_API_KEY", "https://API.OpenAI.com./v1"},
      {"GOOGLE_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"},
      {"DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"}};
  for (const auto& row : rows) {
    EXPECT_TRUE(goes(row.url, {}, row.key)) << row.url;
    EXPECT_FALSE(goes("http" + row.url.substr(5), {}, row.key)) << row.url;
    for (const auto& other : rows) {
      EXPECT_EQ(goes(row.url, {}, other.key), other.key == row.key) << row.url << other.key;
    }
  }
}

// A default of ours must never be refused by a rule of ours.
TEST(KeyHosts, EveryVendorWithAKeyOfItsOwnHasItsHost) {
  ProviderSettings settings;
  settings.key = [](std::string_view) { return Secret("k"); };
  for (const auto* provider : {"anthropic", "openai", "google", "deepseek"}) {
    EXPECT_NO_THROW(choose_provider({.provider = provider, .model = "m"}, settings)) << provider;
  }
}

TEST(KeyHosts, HostsThatLookLikeAVendorsAreNone) {
  for (const auto* url :
       {"https://api.openai.com.evil.example", "https://evil.example/api.openai.com",
        "https://api.openai.com@evil.example/v1", "https://evil.example#api.openai.com",
        "https://xapi.openai.com", "https://api-openai.com", "https://openai.com", "nonsense", "",
        "ftp://api.openai.com"})
    EXPECT_FALSE(goes(url)) << url;
}

TEST(KeyHosts, TheOperatorsNetworkIsKnownByNameAndAddress) {
  for (const auto* url :
       {"http://127.0.0.1:8080/v1", "http://127.9.9.9", "http://[::1]:1/v1", "http://10.1.2.3",
        "http://172.16.0.1", "http://172.31.255.255", "http://192.168.1.1", "http://100.64.0.1",
        "http://[fd12:3456::1]/v1", "http://[::ffff:10.0.0.1]/", "http://localhost:11434",
        "http://gpu:8080/v1", "http://vllm.models.svc:8000", "http://vllm.models.svc.cluster.local",
        "http://box.local", "http://proxy.corp.internal", "http://nas.lan", "http://x.home.arpa.",
        "http://a.localhost"})
    EXPECT_TRUE(goes(url)) << url;
  for (const auto* url :
       {"https://example.org", "http://8.8.8.8", "http://172.32.0.1", "http://172.15.0.1",
        "http://192.169.0.1", "http://100.128.0.1", "http://11.0.0.1", "http://[2001:db8::1]",
        "http://[::ffff:8.8.8.8]", "http://134744072", "http://0x08080808", "http://8.8.2056",
        "http://x.notlocal", "http://internal.example"})
    EXPECT_FALSE(goes(url)) << url;
}

TEST(KeyHosts, MetadataServicesNeverGetOne) {
  const KeyHosts all{.own = {"169.254.169.254"}, .allow = {"*", "169.254.169.254"}};
  for (const auto* url :
       {"http://169.254.169.254/latest", "http://169.254.0.1", "http://[fe80::1]/",
        "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/", "http://100.100.100.200",
        "http://metadata", "http://metadata.google.internal", "http://METADATA.google.internal./"})
    EXPECT_FALSE(goes(url, all)) << url;
}

TEST(KeyHosts, TheOperatorsListIsRead) {
  EXPECT_TRUE(goes("https://llm.example.org", {.allow = {"LLM.example.org"}}));
  EXPECT_TRUE(goes("http://a.b.example.org:81/v1", {.allow = {"*.example.org"}}));
  EXPECT_FALSE(goes("http://example.org", {.allow = {"*.example.org"}}));
  EXPECT_FALSE(goes("http://badexample.org", {.allow = {"*.example.org"}}));
  EXPECT_FALSE(goes("http://x.org", {.allow = {"", "x.or"}}));
  EXPECT_TRUE(goes("http://203.0.113.9", {.allow = {"*"}}));
  EXPECT_TRUE(goes("http://host.example", {.own = {"host.example"}}));
  for (const auto* entry : {"*", "a.example", "*.example.org", "10.0.0.1", "2001:db8::1"})
    EXPECT_FALSE(model_host_fault(entry)) << entry;
  for (const auto* entry : {"", "*.", "https://a.example", "a.example:443", "a b", "a.example/v1",
                            "*a.example", "a.*.example"})
    EXPECT_TRUE(model_host_fault(entry)) << entry;
}

}  // namespace
}  // namespace botburrow::llm
