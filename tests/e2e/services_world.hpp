#pragma once

#include "world.hpp"

namespace botburrow::e2e {

/// Services as programs of their own, put together as an operator would: a Redis with a password, a
/// Hub, keys made through its API. Coordinators and runners find them by the environment.
class ServicesWorld : public World {
 protected:
  ServicesWorld();

  /// Starts a Hub and makes the keys; programs started later find it.
  void start_hub();
  void kill_hub();
  /// Once more, on the same port and data.
  void restart_hub();
  void register_agent(const std::string& name);
  /// To the Hub's API as its administrator.
  net::HttpResponse admin(const std::string& method, const std::string& path,
                          const json::value& body);
  std::string key_for(const std::string& name, const std::string& type);
  const std::string& admin_key() const { return admin_key_; }

  std::string post_as_owner(const std::string& text);
  json::value look_at(const std::string& id);
  /// Lines of redis-cli, and the first of them.
  std::vector<std::string> cli(Words words) {
    return redis_cli(redis_.tcp_url(), std::move(words));
  }
  std::string cli_line(Words words) { return redis_line(redis_.tcp_url(), std::move(words)); }
  /// No work waits, runs or is put off.
  bool at_rest();
  /// Where a coordinator or runner listens, by its log.
  std::string url_of(Program& service);

  test::PrivateRedis redis_;
  Program* hub_ = nullptr;
  std::string hub_url_;

 private:
  void launch_hub(const std::string& port);
  std::string admin_key_, owner_key_;
};

}  // namespace botburrow::e2e
