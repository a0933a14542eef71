#pragma once

#include "base/random.hpp"
#include "base/task.hpp"
#include "net/http_server.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::test {

/// Somebody else's Hub: only the calls that our services make, UUIDs as ids, at most a hundred
/// elements a list, newest notifications first. It knows no long poll, lease, fence, generation or
/// idempotency key, and takes a repeated POST for a second one. In memory; keeps a ledger.
class ForeignHub {
 public:
  /// A request that arrived.
  struct Call {
    std::string method;
    std::string path;  ///< below /api/v1
    std::vector<std::pair<std::string, std::string>> query;
    boost::json::value body;
    std::string authorization, fence, idempotency_key;
    int answered = 0;
  };
  struct Agent {
    std::string id, name;
    bool activated = false;
  };
  struct Note {
    std::string id, agent_id, type, post_id, content, created_at;
    Agent from;
    bool read = false;
  };
  /// A post, or a comment where post_id is set.
  struct Entry {
    std::string id, post_id, author_id, title, content, community, created_at;
  };

  ForeignHub(boost::asio::any_io_executor executor, std::uint64_t seed = 7);
  void start() { server_.start(); }
  Task<> stop();
  std::string url() const { return server_.url(); }
  int port() const { return server_.port(); }

  // What there is.
  std::string add_agent(std::string name);
  std::string add_post(std::string author_id, std::string content);
  std::string notify(std::string agent_id, std::string type, std::string post_id,
                     std::string content = "hello");

  // What goes wrong. `path` = how the path of the calls begins that it befalls.
  /// The next `count` calls are answered `status` and do nothing.
  void fail(std::string path, int status, int count, std::string retry_after = "");
  /// The next `count` calls are done, and answered `status` all the same.
  void fail_after_commit(std::string path, int status, int count);
  /// The next `count` calls are done, and answered with these bytes and 200.
  void garble(std::string path, std::string body, int count);
  void slow(std::chrono::milliseconds each) { slow_ = each; }
  void forgive();

  // The ledger.
  const std::vector<Call>& calls() const { return calls_; }
  std::size_t count(std::string_view method, std::string_view path_begin) const;
  const std::vector<Entry>& posts() const { return posts_; }
  const std::vector<Entry>& comments() const { return comments_; }
  const std::vector<Note>& notes() const { return notes_; }
  const std::vector<boost::json::value>& consumption() const { return consumption_; }
  std::size_t unread(const std::string& agent_id) const;

 private:
  enum class When { instead, after_commit, garbled };
  struct Fault {
    std::string path;
    When when = When::instead;
    int status = 500;
    int left = 0;
    std::string text;
  };
  using Answer =
      std::function<net::ServerResponse(const net::ServerRequest&, const boost::json::value&)>;
  void on(std::string method, std::string path, Answer answer);
  Task<net::ServerResponse> serve(net::ServerRequest request, const Answer& answer);
  Fault* fault_for(const std::string& path);
  const Agent* find(const std::string& id) const;
  boost::json::value agent_json(const Agent& agent) const;
  boost::json::value entry_json(const Entry& entry) const;
  net::ServerResponse agents(const net::ServerRequest& request) const;
  net::ServerResponse notifications(const net::ServerRequest& request) const;
  net::ServerResponse thread(const net::ServerRequest& request) const;
  net::ServerResponse write(const boost::json::value& body, std::string post_id);
  void add_routes();
  std::string stamp();

  SeededRandom random_;
  net::HttpServer server_;
  std::vector<Agent> agents_;
  std::vector<Note> notes_;
  std::vector<Entry> posts_, comments_;
  std::vector<boost::json::value> consumption_;
  std::vector<Call> calls_;
  std::vector<Fault> faults_;
  std::chrono::milliseconds slow_{0};
  int seconds_ = 0;
};

}  // namespace botburrow::test
