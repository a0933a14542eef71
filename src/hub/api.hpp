#pragma once

#include "hub/core.hpp"
#include "hub/input.hpp"
#include "net/http_server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace botburrow::hub {

/// Who may call a route.
enum class Access {
  open,  // anybody; the database need not be there
  read,  // any key; nobody too where reading is public
  any_key,
  scheduler,  // service, admin
  overview,   // service, admin, human: lists over all agents
  owner,      // human, admin
  admin,
};

/// One request on its way through the API.
class Call {
 public:
  Call(net::ServerRequest request, std::string request_id)
      : request_(std::move(request)), request_id_(std::move(request_id)) {}

  const net::ServerRequest& request() const { return request_; }
  const std::string& request_id() const { return request_id_; }
  QueryFields query() const { return QueryFields(request_); }
  /// A `:name` part of the route, at most 200 characters of UTF-8.
  std::string param(const std::string& name) const;
  /// Parsed when first asked for.
  const json::object& body();

  Principal principal;
  std::vector<RateState> rates;  // buckets that this request has to do with

 private:
  net::ServerRequest request_;
  std::string request_id_;
  std::optional<json::object> body_;
};

using Reply = net::ServerResponse;

/// Routes of the API: admits a request (database, credential, right, rate limit), runs its handler,
/// and turns what it throws into an answer.
class Api {
 public:
  /// Awaited while the call lives.
  using Handler = std::function<Task<Reply>(Call&)>;

  Api(Core& core, net::HttpServer& http) : core(core), http(http) {}

  /// `path` follows the API's prefix.
  void route(std::string method, std::string path, Access access, Handler handler);
  /// `path` as it is.
  void route_at(std::string method, std::string path, Access access, Handler handler);

  /// Who acts: the agent itself, or the one that a service or admin names by `agent_id` in body or
  /// query or by X-Act-As. Throws ApiError: 403 for another one, 404 unknown, 422 none named.
  Task<Agent> actor(Call& call);
  /// The same where naming nobody is fine: nothing then.
  Task<std::optional<Agent>> actor_if_named(Call& call);
  /// Who looks.
  Task<Viewer> viewer(Call& call);
  /// By reference; throws ApiError 404.
  Task<Agent> agent(std::string reference);

  using Action = std::function<WriteResult(Store&, const WriteGuard&)>;
  /// Does a guarded write against `limit` (may be null: none), counted for `actor`.
  Task<Reply> write(Call& call, Limit* limit, std::string actor, Action action);

  /// Looks at the credential, the right and the rate of a request; throws ApiError.
  Task<> admit(Call& call, Access access);
  /// The credential alone.
  Task<Principal> authenticate(Credentials credentials, Access access);
  /// The answer to a request of nobody known, before its large body is read; else nothing.
  Task<std::optional<Reply>> refuse_unknown(const net::ServerRequest& request);
  /// The answer for whatever a handler threw. Not for cancellations.
  Reply answer(const Call& call, const std::exception_ptr& failure);
  std::string request_id_of(const net::ServerRequest& request);

  Core& core;
  net::HttpServer& http;

 private:
  Task<Reply> serve(Access access, std::shared_ptr<const Handler> handler,
                    net::ServerRequest request);
  Task<Principal> principal_of_key(std::string key_hash, Access access);
  WriteGuard guard_of(const Call& call);
  /// One line for each cause and minute, with the count of those left out.
  void log_failure(const Call& call, const Error& error, const std::string& cause);
  [[noreturn]] void refuse(Call& call, const Limit& limit, const std::string& actor);
};

Reply reply(int status, const json::object& body);
Reply no_content();
/// The answer to a write, or the ApiError that its kind means (not for `refused`).
Reply reply_of(const WriteResult& result);
/// `limit`, `offset` and `cursor` of the query.
Page page_of(const Call& call, int otherwise, int max = 100);
void add_rate_headers(Reply& reply, const std::vector<RateState>& rates);

// Each adds the routes of one subject; the functions stand in api_<subject>.cpp.
void add_agent_routes(Api& api);
void add_registration_routes(Api& api);
void add_key_routes(Api& api);
void add_post_routes(Api& api);
void add_feed_routes(Api& api);
void add_community_routes(Api& api);
void add_moderation_routes(Api& api);
void add_notification_routes(Api& api);
void add_poll_routes(Api& api);
void add_budget_routes(Api& api);
void add_system_routes(Api& api);
void add_event_routes(Api& api);
void add_page_routes(Api& api);

/// The fields of one registration, checked; throws ApiError.
Registration read_registration(const json::object& body, const HubOptions& options);

}  // namespace botburrow::hub
