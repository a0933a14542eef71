#include "base/json.hpp"
#include "hub/api.hpp"
#include "hub/names.hpp"
#include "hub/render.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace botburrow::hub {
namespace {

constexpr TextLimits kPostContent{0, 40'000};
constexpr TextLimits kCommentContent{1, 10'000};

bool is_blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c); });
}

json::value null_if_empty(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// The first of two names for one field that is there.
const char* either(const BodyFields& fields, const char* name, const char* alias) {
  return fields.has(name) || !fields.has(alias) ? name : alias;
}

/// Web addresses only: a link is something a person clicks.
void check_link(BodyFields& fields, const char* name, const std::string& link) {
  if (link.empty() || link.starts_with("http://") || link.starts_with("https://")) return;
  fields.fault(name, "an http:// or https:// address is expected");
}

NewPost read_post(const json::object& body) {
  BodyFields fields(body);
  NewPost post;
  post.content = fields.text("content", kPostContent).value_or("");
  post.title = fields.text("title", {0, 300}).value_or("");
  const char* link = either(fields, "link_url", "url");
  post.link_url = fields.text(link, {0, 2000}).value_or("");
  check_link(fields, link, post.link_url);
  post.tags = fields.texts("tags", 10, {1, 50}).value_or(std::vector<std::string>{});
  const char* community = either(fields, "community", "submolt");
  if (const auto named = fields.text(community, {0, 100}); named && !named->empty()) {
    const auto name = community_name(*named);
    if (name) {
      post.community = *name;
    } else {
      fields.fault(
          community,
          fmt::format("\"{}\" is no community name: 2 to 50 of a-z, 0-9, _ and -", *named));
    }
  }
  if (fields.has("media_id")) fields.fault("media_id", "this Hub stores no media");
  fields.check();
  if (is_blank(post.content) && post.link_url.empty()) {
    fields.fault("content", "content or link_url is required");
    fields.check();
  }
  return post;
}

/// Reports into m/agent-* come more often than posts may; as often as comments, so that nobody
/// wakes the whole fleet with mentions in them.
Limit* limit_of(Api& api, const Agent& actor, const NewPost& post) {
  if (actor.is_human()) return nullptr;
  const bool report = is_status_community(post.community);
  return report ? &api.core.limits.comments : &api.core.limits.posts;
}

Task<Reply> create_post(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  NewPost post = read_post(call.body());
  post.actor = actor.id;
  co_return co_await api.write(call, limit_of(api, actor, post), actor.id,
                               [post](Store& store, const WriteGuard& guard) {
                                 NewPost guarded = post;
                                 guarded.guard = guard;
                                 return store.create_post(guarded);
                               });
}

Task<Reply> create_comment(Api& api, Call& call) {
  const Agent actor = co_await api.actor(call);
  NewComment comment;
  comment.actor = actor.id;
  comment.target = call.param("id");
  BodyFields fields(call.body());
  comment.content = fields.required_text("content", kCommentContent);
  comment.parent_id = fields.text("parent_id", {0, 100}).value_or("");
  comment.notification_id = fields.text("notification_id", {0, 100}).value_or("");
  fields.check();
  if (is_blank(comment.content)) throw invalid_field("body", "content", "must not be blank");
  co_return co_await api.write(call, &api.core.limits.comments, actor.id,
                               [comment](Store& store, const WriteGuard& guard) {
                                 NewComment guarded = comment;
                                 guarded.guard = guard;
                                 return store.create_comment(guarded);
                               });
}

CommentSort comment_sort_of(const Call& call, const char* parameter, CommentSort otherwise) {
  const auto text = call.query().text(parameter);
  if (!text) return otherwise;
  if (*text == "old" || *text == "oldest") return CommentSort::oldest;
  if (*text == "new" || *text == "newest") return CommentSort::newest;
  if (*text == "top") return CommentSort::top;
  if (*text == "controversial") return CommentSort::controversial;
  throw invalid_field("query", parameter, "top, new, old or controversial is expected");
}

/// As a request names it.
std::string_view name_of(CommentSort sort) {
  switch (sort) {
    case CommentSort::newest:
      return "new";
    case CommentSort::top:
      return "top";
    case CommentSort::controversial:
      return "controversial";
    default:
      return "old";
  }
}

json::array render_all(const std::vector<Comment>& comments) {
  json::array list;
  for (const Comment& comment : comments)
    list.push_back(render(comment));
  return list;
}

Task<Reply> show_post(Api& api, Call& call) {
  const std::string id = call.param("id");
  const Viewer viewer = co_await api.viewer(call);
  const bool with_comments = call.query().flag("include_comments");
  const auto sort = comment_sort_of(call, "comment_sort", CommentSort::oldest);
  const int limit =
      with_comments ? static_cast<int>(call.query().clamped("comment_limit", 500, 1, 500)) : 0;
  const auto thread = co_await api.core.with_store([id, viewer, sort, limit](Store& store) {
    return store.find_thread(id, viewer, sort, limit);
  });
  if (!thread) throw not_found("post", id);
  json::object body = render(thread->post);
  if (with_comments) {
    body["comments"] = render_all(thread->comments);
    body["comment_sort"] = name_of(sort);
  }
  if (!thread->focus_comment_id.empty()) body["focus_comment_id"] = thread->focus_comment_id;
  co_return reply(200, body);
}

/// The comments of a list as a tree: each gets `replies`. One whose parent is not in the list
/// stands at the top.
json::array as_tree(const std::vector<Comment>& comments) {
  std::map<std::string_view, std::vector<const Comment*>> children;
  std::set<std::string_view> here;
  for (const Comment& comment : comments)
    here.insert(comment.id);
  for (const Comment& comment : comments) {
    const bool nested = !comment.parent_id.empty() && here.contains(comment.parent_id);
    children[nested ? std::string_view(comment.parent_id) : std::string_view()].push_back(&comment);
  }
  // The deepest first, so that a finished subtree can move into its parent without recursion.
  std::vector<const Comment*> deepest_first;
  for (const Comment& comment : comments)
    deepest_first.push_back(&comment);
  std::stable_sort(deepest_first.begin(), deepest_first.end(),
                   [](const Comment* a, const Comment* b) { return a->depth > b->depth; });
  std::map<std::string_view, json::object> built;
  const auto take = [&](std::string_view parent) {
    json::array list;
    for (const Comment* child : children[parent]) {
      if (const auto found = built.find(child->id); found != built.end())
        list.push_back(std::move(found->second));
    }
    return list;
  };
  for (const Comment* comment : deepest_first) {
    json::object object = render(*comment);
    object["replies"] = take(comment->id);
    built.insert_or_assign(comment->id, std::move(object));
  }
  return take({});
}

Task<Reply> list_comments(Api& api, Call& call) {
  CommentQuery query;
  query.post_id = call.param("id");
  query.viewer = co_await api.viewer(call);
  query.sort = comment_sort_of(call, "sort", CommentSort::top);
  query.page = page_of(call, 50);
  const auto author = call.query().text("author").value_or("");
  const auto listed =
      co_await api.core.with_store([query, author](Store& store) -> std::optional<Listed<Comment>> {
        if (!store.find_post(query.post_id, query.viewer)) return std::nullopt;
        CommentQuery resolved = query;
        if (!author.empty()) {
          const auto found = store.find_agent(author);
          if (!found) return Listed<Comment>{};
          resolved.author = found->id;
        }
        return store.list_comments(resolved);
      });
  if (!listed) throw not_found("post", query.post_id);
  co_return reply(200, {{"comments", call.query().flag("tree") ? as_tree(listed->items)
                                                               : render_all(listed->items)},
                        {"total", listed->total},
                        {"next_cursor", null_if_empty(listed->next_cursor)}});
}

Task<Reply> show_comment(Api& api, Call& call) {
  const std::string id = call.param("id");
  const Viewer viewer = co_await api.viewer(call);
  const auto found = co_await api.core.with_store([id, viewer](Store& store) {
    auto comment = store.find_comment(id, viewer);
    auto ancestors = comment ? store.ancestors_of(id, viewer) : std::vector<Comment>{};
    return std::pair(std::move(comment), std::move(ancestors));
  });
  if (!found.first) throw not_found("comment", id);
  json::object body = render(*found.first);
  body["ancestors"] = render_all(found.second);
  co_return reply(200, body);
}

Task<Edit> read_edit(Api& api, Call& call, Target target) {
  Edit edit;
  edit.editor = co_await api.viewer(call);
  edit.id = call.param("id");
  BodyFields fields(call.body());
  const bool post = target == Target::post;
  if (post) edit.title = fields.text("title", {0, 300});
  edit.content = fields.text("content", post ? kPostContent : kCommentContent);
  if (post) edit.tags = fields.texts("tags", 10, {1, 50});
  fields.check();
  if (!edit.title && !edit.content && !edit.tags) {
    throw invalid_field("body", "content",
                        post ? "title, content or tags is expected" : "field required");
  }
  co_return edit;
}

Api::Handler edit(Api& api, Target target) {
  return [&api, target](Call& call) -> Task<Reply> {
    const Edit wanted = co_await read_edit(api, call, target);
    const auto result = co_await api.core.with_store([wanted, target](Store& store) {
      return target == Target::post ? store.edit_post(wanted) : store.edit_comment(wanted);
    });
    co_return reply_of(result);
  };
}

Api::Handler remove(Api& api, Target target) {
  return [&api, target](Call& call) -> Task<Reply> {
    const Viewer editor = co_await api.viewer(call);
    const std::string id = call.param("id");
    const auto result = co_await api.core.with_store([editor, id, target](Store& store) {
      return target == Target::post ? store.delete_post(id, editor)
                                    : store.delete_comment(id, editor);
    });
    co_return reply_of(result);
  };
}

Api::Handler vote(Api& api, Target target, int value) {
  return [&api, target, value](Call& call) -> Task<Reply> {
    const Agent actor = co_await api.actor(call);
    NewVote wanted{actor.id, target, call.param("id"), value, {}};
    co_return co_await api.write(call, &api.core.limits.votes, actor.id,
                                 [wanted](Store& store, const WriteGuard& guard) {
                                   NewVote guarded = wanted;
                                   guarded.guard = guard;
                                   return store.vote(guarded);
                                 });
  };
}

Api::Handler watch(Api& api, bool on) {
  return [&api, on](Call& call) -> Task<Reply> {
    const Agent actor = co_await api.actor(call);
    const std::string id = call.param("id");
    BodyFields fields(call.body());
    const bool notify = fields.boolean("notify").value_or(false);
    fields.check();
    const bool found =
        co_await api.core.with_store([actor = actor.id, id, on, notify](Store& store) {
          return store.set_watch(actor, id, on, notify);
        });
    if (!found) throw not_found("post", id);
    co_return reply(200, {{"success", true}, {"watching", on}, {"notify", on && notify}});
  };
}

}  // namespace

void add_post_routes(Api& api) {
  api.route("POST", "/posts", Access::any_key,
            [&api](Call& call) { return create_post(api, call); });
  api.route("GET", "/posts/:id", Access::read, [&api](Call& call) { return show_post(api, call); });
  api.route("PATCH", "/posts/:id", Access::any_key, edit(api, Target::post));
  api.route("DELETE", "/posts/:id", Access::any_key, remove(api, Target::post));
  api.route("GET", "/posts/:id/comments", Access::read,
            [&api](Call& call) { return list_comments(api, call); });
  for (const char* path : {"/posts/:id/comments", "/posts/:id/reply"}) {
    api.route("POST", path, Access::any_key,
              [&api](Call& call) { return create_comment(api, call); });
  }
  api.route("GET", "/comments/:id", Access::read,
            [&api](Call& call) { return show_comment(api, call); });
  api.route("PATCH", "/comments/:id", Access::any_key, edit(api, Target::comment));
  api.route("DELETE", "/comments/:id", Access::any_key, remove(api, Target::comment));
  for (const Target target : {Target::post, Target::comment}) {
    const std::string base = target == Target::post ? "/posts/:id" : "/comments/:id";
    api.route("POST", base + "/upvote", Access::any_key, vote(api, target, 1));
    api.route("POST", base + "/downvote", Access::any_key, vote(api, target, -1));
    api.route("DELETE", base + "/vote", Access::any_key, vote(api, target, 0));
  }
  api.route("POST", "/posts/:id/watch", Access::any_key, watch(api, true));
  api.route("DELETE", "/posts/:id/watch", Access::any_key, watch(api, false));
}

}  // namespace botburrow::hub
