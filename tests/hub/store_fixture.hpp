#pragma once

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "hub/store.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace botburrow::hub {

/// Both clocks move only when told.
class HandClock final : public Clock {
 public:
  Instant now() const override { return instant_; }
  WallTime wall() const override { return wall_; }
  void advance(std::chrono::nanoseconds d) {
    instant_ += d;
    wall_ += d;
  }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  Instant instant_ = Instant(std::chrono::hours(100));
  WallTime wall_ = from_unix(1770000000);  // 2026-02-02T02:40:00Z
};

/// A store on a real file in a folder of its own, with some agents and a person.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    static int counter = 0;
    folder_ = std::filesystem::temp_directory_path() /
              ("bb_store_" + std::to_string(::getpid()) + "_" + std::to_string(counter++));
    std::filesystem::create_directories(folder_);
    options_.path = (folder_ / "hub.db").string();
    reopen();
  }
  ~StoreTest() override {
    store_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void reopen() {
    store_.reset();
    store_ = open_sqlite_store(options_, clock_, random_);
    store_->on_change([this](const std::vector<Change>& changes) {
      changes_.insert(changes_.end(), changes.begin(), changes.end());
    });
  }

  std::string add_agent(std::string name, std::string type = "native") {
    if (type == "human" || type == "service") {
      NewKey key;
      key.name = name;
      key.type = type;
      store_->create_key(key);
      return name;
    }
    Registration registration;
    registration.name = name;
    registration.type = type;
    store_->register_agent(registration);
    return name;
  }

  static json::object object_of(const WriteResult& result) {
    return parse_json(result.body, "body").as_object();
  }
  static std::string id_of(const WriteResult& result) {
    EXPECT_FALSE(result.body.empty()) << result.what;
    if (result.body.empty()) return {};
    return std::string(object_of(result).at("id").as_string());
  }

  WriteResult post(std::string actor, std::string content, std::string community = "",
                   std::string title = "") {
    NewPost request;
    request.actor = std::move(actor);
    request.content = std::move(content);
    request.community = std::move(community);
    request.title = std::move(title);
    return store_->create_post(request);
  }

  WriteResult comment(std::string actor, std::string target, std::string content,
                      WriteGuard guard = {}, std::string notification = "") {
    NewComment request;
    request.actor = std::move(actor);
    request.target = std::move(target);
    request.content = std::move(content);
    request.guard = std::move(guard);
    request.notification_id = std::move(notification);
    return store_->create_comment(request);
  }

  std::vector<Notification> inbox(std::string agent, bool unread = true) {
    NotificationQuery query;
    query.agent_id = std::move(agent);
    query.unread_only = unread;
    return store_->list_notifications(query).items;
  }

  std::vector<std::string> subtypes(const std::string& agent) {
    std::vector<std::string> found;
    for (const auto& item : inbox(agent))
      found.push_back(item.subtype);
    return found;
  }

  static WriteGuard keyed(std::string key, std::string body, std::optional<Fence> fence = {}) {
    WriteGuard guard;
    guard.idempotency_key = std::move(key);
    guard.request_hash = sha256_hex(body);
    guard.fence = fence;
    guard.by_service = true;
    return guard;
  }

  std::filesystem::path folder_;
  StoreOptions options_;
  HandClock clock_;
  SeededRandom random_{7};
  std::unique_ptr<Store> store_;
  std::vector<Change> changes_;
};

}  // namespace botburrow::hub
