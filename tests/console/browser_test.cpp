// The page in a real Chromium; skipped where there is none (apt-get install chromium).
#include "tests/support/browser.hpp"

#include "console_fixture.hpp"
#include "definitions/redis_cache.hpp"

#include <cstdlib>

namespace botburrow::console {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kHostile = "<img src=x onerror=window.hacked=1>\"'&";

class ConsoleBrowser : public ConsoleTest {
 protected:
  void SetUp() override {
    if (!test::Browser::program())
      GTEST_SKIP() << "no Chromium here; apt-get install chromium runs this test";
  }
  void show(const std::string& way = "#/", const std::string& key = "") {
    if (!browser) browser = std::make_unique<test::Browser>(ioc);
    browser->screen({});
    browser->open(server->url() + "/console" + (key.empty() ? way : "#key=" + key));
    ASSERT_TRUE(browser->until("document.querySelector('#live').dataset.live === 'live'"));
    if (!key.empty() && way != "#/") go(way);
  }
  void go(const std::string& way) { browser->eval("location.hash = '" + way + "'"); }
  bool sees(const std::string& text) {
    return browser->until("document.body.innerText.includes(" + to_json(json::value(text)) + ")");
  }
  bool click(const std::string& label) {
    const auto find =
        "[...document.querySelectorAll('button, a')].find(b => b.checkVisibility() && "
        "b.textContent.trim() === " +
        to_json(json::value(label)) + ")";
    if (!browser->until(find)) return false;
    browser->eval(find + ".click()");
    return true;
  }

  std::unique_ptr<test::Browser> browser;
};

TEST_F(ConsoleBrowser, ShowsAQueueAndADeadLetterAndRetriesIt) {
  kill("scribe");
  enqueue("ada");
  open();
  show("#/", kAdminKey);
  EXPECT_TRUE(sees("1 dead letter."));
  EXPECT_TRUE(sees("Lock")) << "the key of the address is taken";
  EXPECT_EQ(browser->eval("location.hash").as_string(), "#/") << "and gone from it";
  go("#/queue");
  EXPECT_TRUE(sees("ada"));
  go("#/dead");
  EXPECT_TRUE(sees("scribe"));
  ASSERT_TRUE(click("Retry"));
  EXPECT_TRUE(sees("It waits at the head of its queue"));
  EXPECT_TRUE(sees("Nothing was given up."));
  EXPECT_EQ(integer({"LLEN", "work:dead"}), 0);
  EXPECT_EQ(integer({"LLEN", "work:queue:high"}), 2);
  EXPECT_THAT(browser->complaints(), IsEmpty());
}

TEST_F(ConsoleBrowser, LivesByItsStream) {
  open();
  show();
  EXPECT_TRUE(sees("No runner is alive."));
  kill("late");
  EXPECT_TRUE(sees("1 dead letter."));
  EXPECT_THAT(browser->complaints(), IsEmpty());
}

TEST_F(ConsoleBrowser, WithoutTheKeyThereIsNothingToPress) {
  kill("scribe");
  open();
  show("#/dead");
  EXPECT_TRUE(sees("scribe"));
  EXPECT_TRUE(sees("Unlock"));
  EXPECT_EQ(browser
                ->eval("[...document.querySelectorAll('main button')].filter(b => "
                       "/Retry|Clear/.test(b.textContent)).length")
                .to_number<int>(),
            0);
  ASSERT_TRUE(click("Unlock"));
  browser->eval("document.getElementById('key').value = 'not it'");
  browser->eval("document.querySelector('dialog form').requestSubmit()");
  EXPECT_TRUE(sees("this is not the coordinator's ADMIN_KEY"));
  browser->eval(std::string("document.getElementById('key').value = '") + kAdminKey + "'");
  browser->eval("document.querySelector('dialog form').requestSubmit()");
  EXPECT_TRUE(browser->until(
      "[...document.querySelectorAll('main button')].some(b => b.textContent === 'Retry')"));
}

TEST_F(ConsoleBrowser, WhatStrangersWroteIsShownAndNeverRun) {
  kill(kHostile);
  enqueue(kHostile, queue::Priority::low);
  result(kHostile, "failure", kHostile, kHostile);
  enqueue("x" + std::string(kHostile));
  const auto claimed = claim();
  write_journal(claimed,
                {{queue::JournalKind::started, {{"agent_name", kHostile}, {"runner_id", kHostile}}},
                 {queue::JournalKind::notification,
                  {{"notification", {{"type", kHostile}, {"content", kHostile}}}}},
                 {queue::JournalKind::model_answer, {{"answer", {{"text", kHostile}}}}}});
  open();
  show("#/", kAdminKey);
  for (const std::string& way : std::vector<std::string>{
           "#/queue", "#/activations", "#/agents", "#/dead", "#/budgets",
           "#/agent/%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E",
           "#/activation/" + claimed.activation_id.str(), "#/letter/%3Cimg%3E", "#/__proto__/x"}) {
    go(way);
    EXPECT_TRUE(browser->until("document.querySelector('main').innerText.length > 20")) << way;
    pass(300ms);
  }
  go("#/activation/" + claimed.activation_id.str());
  EXPECT_TRUE(sees(kHostile));
  EXPECT_EQ(browser->eval("document.querySelectorAll('main img').length").to_number<int>(), 0);
  EXPECT_TRUE(browser->eval("window.hacked === undefined").as_bool());
}

TEST_F(ConsoleBrowser, IsDrivenByTheKeyboard) {
  kill("b-agent");
  kill("a-agent");
  open();
  show();
  browser->press("4");
  EXPECT_TRUE(browser->until("location.hash === '#/agents'"));
  EXPECT_TRUE(sees("a-agent"));
  browser->press("j");
  browser->press("j");
  EXPECT_TRUE(browser->until("document.activeElement.textContent === 'b-agent'"));
  browser->press("Enter");
  EXPECT_TRUE(browser->until("location.hash === '#/agent/b-agent'"));
  EXPECT_TRUE(sees("b-agent is backing off"));
  browser->press("?");
  EXPECT_TRUE(browser->until("document.querySelector('dialog[open]') !== null"));
  browser->press("t");
  EXPECT_TRUE(browser->eval("document.documentElement.dataset.theme === undefined").as_bool())
      << "not behind a dialog";
}

TEST_F(ConsoleBrowser, FollowsTheSystemsThemeAndTheToggle) {
  open();
  show();
  const auto back = [this] {
    return std::string(
        browser->eval("getComputedStyle(document.body).backgroundColor").as_string());
  };
  const auto light = back();
  browser->screen({.dark = true});
  const auto dark = back();
  EXPECT_NE(light, dark);
  browser->press("t");
  EXPECT_EQ(back(), light);
  browser->press("t");
  EXPECT_EQ(back(), dark);
}

TEST_F(ConsoleBrowser, FitsAPhone) {
  kill("an-agent");
  enqueue("a-name-that-is-rather-long-for-the-screen-of-a-phone-and-has-no-blank-in-it");
  auto definition = std::make_shared<definitions::AgentDefinition>();
  definition->name = "an-agent";
  run(definitions::RedisDefinitionCache(redis_client, Log::none())
          .store(definition, system_clock().now()));
  open();
  show("#/", kAdminKey);
  browser->screen({.width = 375, .height = 740, .phone = true});
  for (const char* way : {"#/", "#/queue", "#/activations", "#/agents", "#/dead", "#/budgets"}) {
    go(way);
    EXPECT_TRUE(browser->until("document.querySelector('main').innerText.length > 5")) << way;
    pass(200ms);
    EXPECT_LE(browser->eval("document.documentElement.scrollWidth").to_number<int>(), 375) << way;
  }
  EXPECT_TRUE(sees("0/50")) << "the limits of its definition";
}

TEST_F(ConsoleBrowser, SaysThatRedisIsAwayAndRecovers) {
  open();
  show();
  redis.kill9();
  EXPECT_TRUE(sees("Redis has not answered since"));
  redis.start();
  EXPECT_TRUE(browser->until("document.getElementById('banner').hidden"));
}

TEST_F(ConsoleBrowser, TenThousandActivationsStayFluent) {
  std::vector<std::string> push{"LPUSH", "activation:results"};
  for (int i = 0; i < 10'000; ++i) {
    queue::ActivationResult one{.agent_id = AgentId(fmt::format("agent-{}", i % 100))};
    one.agent_name = one.agent_id.str();
    one.status = "success";
    one.activation_id = ActivationId(fmt::format("act-{}", i));
    one.timestamp = "2026-02-07T10:00:00Z";
    push.push_back(queue::encode(one));
  }
  ask(std::move(push));
  open();
  show("#/activations");
  EXPECT_TRUE(sees("of 10,000"));
  EXPECT_LT(browser->bytes(), 150'000) << "the page with its first list";
  ASSERT_TRUE(click("Older ›"));
  EXPECT_TRUE(sees("51–100 of 10,000"));
  browser->eval("window.scrollTo(0, document.documentElement.scrollHeight)");
  EXPECT_TRUE(browser->until("window.scrollY > 100"));
  EXPECT_TRUE(browser->until(
      "(row => row.getBoundingClientRect().top < innerHeight && "
      "row.getBoundingClientRect().bottom > 0)([...document.querySelectorAll('tbody tr')].at(-1))"))
      << "the last row is scrolled to";
  for (int page = 3; page <= 10; ++page) {
    ASSERT_TRUE(click("Older ›"));
    ASSERT_TRUE(sees(fmt::format("{}–{} of 10,000", page * 50 - 49, page * 50)));
  }
  ASSERT_TRUE(click("‹ Newer"));
  EXPECT_TRUE(sees("401–450 of 10,000"));
  EXPECT_LE(browser->eval("document.querySelectorAll('tbody tr').length").to_number<int>(), 60);
  EXPECT_LT(browser->bytes(), 600'000) << "eleven pages of the list, and all files";
}

TEST_F(ConsoleBrowser, OnePageLoadMovesLessThan150KB) {
  kill("scribe");
  enqueue("ada");
  open();
  show();
  EXPECT_TRUE(sees("1 dead letter."));
  EXPECT_GT(browser->bytes(), 20'000);
  EXPECT_LT(browser->bytes(), 150'000);
  RecordProperty("bytes", static_cast<int>(browser->bytes()));
}

}  // namespace
}  // namespace botburrow::console
