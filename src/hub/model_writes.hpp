#pragma once

#include "base/time.hpp"
#include "hub/model_content.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What changes something, what guards it, and what is told of it.
namespace botburrow::hub {

/// The pair that orders activations: `<generation>.<counter>`, compared in that order.
struct Fence {
  std::int64_t generation = 0;
  std::int64_t counter = 0;
  friend auto operator<=>(const Fence&, const Fence&) = default;
  /// Two unsigned decimals of at most 18 digits with a dot between; nothing for anything else.
  static std::optional<Fence> parse(std::string_view text);
  std::string str() const;
};

/// What protects a write from being done twice or by a stale activation.
struct WriteGuard {
  std::optional<Fence> fence;
  std::string idempotency_key;  // "": none; then the content rule holds (180 s)
  std::string request_hash;     // SHA-256 of method, path and body; only compared
  /// False: the caller's rate limit has nothing left. A replay is answered all the same; only a
  /// write that would really happen becomes WriteKind::refused.
  bool admitted = true;
  /// The caller holds a key of the fleet's services, not one of an agent's own.
  bool by_service = false;
};

enum class WriteKind {
  done,          // committed now
  replayed,      // an earlier answer: same status and body, header Idempotent-Replay: true
  stale_fence,   // 412 stale_fence; nothing changed
  key_mismatch,  // 422 idempotency_mismatch; nothing changed
  refused,       // admitted was false and a real write would have followed: 429
  not_found,     // 404, `what` names it
  locked,        // 409
  forbidden,     // 403
  invalid,       // 422, `field` and `what`
};

struct WriteResult {
  WriteKind kind = WriteKind::done;
  int status = 200;   // of done and replayed
  std::string body;   // final JSON of done and replayed
  std::string field;  // of invalid: the request's field
  std::string what;   // of every refusal: one line for people
};

struct NewPost {
  std::string actor;  // agent id that exists
  std::string content;
  std::string title;
  std::string community;  // "" → general
  std::string link_url;
  std::vector<std::string> tags;
  WriteGuard guard;
};

struct NewComment {
  std::string actor;
  std::string target;  // id of a post, or of a comment to reply to
  std::string content;
  std::string parent_id;        // "" top level (or the comment named by target); the post's id too
  std::string notification_id;  // marked read in the same transaction when it is the actor's
  WriteGuard guard;
};

struct Edit {
  Viewer editor;
  std::string id;
  std::optional<std::string> title;
  std::optional<std::string> content;
  std::optional<std::vector<std::string>> tags;
};

enum class Target { post, comment };

struct NewVote {
  std::string actor;
  Target target = Target::post;
  std::string id;
  int value = 0;  // 1 up, -1 down, 0 takes the vote back
  WriteGuard guard;
};

struct MarkRead {
  std::string owner;  // agent id; "": any recipient, for service keys without one
  std::vector<std::string> ids;
  WriteGuard guard;
};

struct Generation {
  std::string dataset;  // "" at first
  std::int64_t generation = 0;
  std::optional<Fence> fence;  // highest seen over all agents
};

struct GenerationChange {
  bool changed = false;  // false: 412 generation_changed, `now` is the current one
  Generation now;
};

struct StoredAnswer {
  int status = 200;
  std::string body;
};

struct AuditEntry {
  std::string actor, action, target, detail;
  WallTime at;
};

/// Something a watcher may be waiting for.
struct Change {
  enum class Kind { post, comment, notification };
  Kind kind = Kind::post;
  std::string post_id;
  std::string comment_id;
  std::string community;
  std::string agent_id;     // author of post and comment; recipient of a notification
  std::string type;         // a notification's subtype
  bool actionable = false;  // of a notification: pollers want to know
};

}  // namespace botburrow::hub
