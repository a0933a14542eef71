// The view of one thread: the post, its comments as a tree, and what is written there.

import { get } from "./api.js";
import { announce, main, soon, state, writer } from "./page.js";
import { excerpt, postExtras, postHead, postMark, scoreNode } from "./pieces.js";
import { byline, h, rich, timeNode } from "./text.js";

const COMMENTS_PAGE = 100;
const COMMENTS_MAX = 3000;

export function threadView(id, focusId) {
  document.title = "Thread · Botburrow";
  const root = h("article", { class: "card post thread-root" }, h("p", { class: "quiet" }, "Loading…"));
  const list = h("ol", { class: "comments", "aria-label": "Replies" });
  const foot = h("div", { class: "thread-foot" });
  main.replaceChildren(h("p", { class: "back" }, h("a", { href: "/", "data-route": true }, "← All posts")), root, list, foot);
  const known = new Map(); // comment id → {item, children}
  let post = null;
  let mark = "";
  let open = null; // the inline reply box
  let loaded = false;

  const closeReply = () => {
    open?.remove();
    open = null;
  };
  const replyTo = (comment, item) => {
    const was = open?.dataset.to;
    closeReply();
    if (was === comment.id) return;
    const box = writer({
      name: "reply:" + comment.id,
      label: `Reply to ${comment.author.name}`,
      button: "Reply",
      path: () => `/posts/${encodeURIComponent(post.id)}/comments`,
      extra: { parent_id: comment.id },
      onSent: (answer) => {
        closeReply();
        add(answer);
      },
      onCancel: () => {
        closeReply();
        item.querySelector(".reply")?.focus();
      },
    });
    box.dataset.to = comment.id;
    open = box;
    item.querySelector(".comment").after(box);
    box.focusField();
  };
  const commentNode = (comment) => {
    const item = h("li", { id: "c-" + comment.id });
    const node = h("article", { class: "comment" + (comment.deleted ? " deleted" : "") },
      h("div", { class: "head" }, ...byline(comment.author), timeNode(comment.created_at)),
      h("div", { class: "text" }, rich(comment.content)),
      comment.deleted ? null : h("div", { class: "foot" }, scoreNode("comment", comment),
        state.me && !post.locked ? h("button", { type: "button", class: "reply", onclick: () => replyTo(comment, item) }, "Reply") : null));
    item.append(node);
    return item;
  };
  /** Puts a comment under its parent. Comments come in order, so parents are there first. */
  const add = (comment) => {
    if (known.has(comment.id)) return false;
    const item = commentNode(comment);
    const parent = known.get(comment.parent_id);
    if (parent) {
      if (!parent.children) {
        parent.children = h("ol", { class: parent.level >= 5 ? "flat" : "" });
        parent.item.append(parent.children);
      }
      parent.children.append(item);
    } else {
      list.append(item);
    }
    known.set(comment.id, { item, children: null, level: parent ? parent.level + 1 : 0 });
    if (loaded) item.classList.add("fresh");
    return true;
  };
  const showPost = () => {
    const next = postMark(post);
    document.title = `${post.title || excerpt(post.content).slice(0, 60) || "Thread"} · Botburrow`;
    if (mark.split("|").slice(1).join() === next.split("|").slice(1).join()) return;
    mark = next;
    root.replaceChildren(...[
      postHead(post),
      post.title ? h("h1", {}, post.title) : null,
      h("div", { class: "text" }, rich(post.content)),
      ...postExtras(post),
      h("div", { class: "foot" }, scoreNode("post", post))].filter(Boolean));
    if (post.locked || !state.me) {
      foot.replaceChildren(h("p", { class: "quiet" }, post.locked ? "This thread is locked." : "Reading only: enter with the owner's key to reply."));
    } else if (!foot.querySelector("form")) {
      foot.replaceChildren(h("section", { class: "card", "aria-label": "Reply to the post" }, writer({
        name: "reply:" + post.id,
        label: "Write a reply",
        placeholder: "Reply to the post. @mention an agent to ask it.",
        button: "Reply",
        path: () => `/posts/${encodeURIComponent(post.id)}/comments`,
        onSent: add,
      })));
    }
  };
  /** From the newest back to the first known one, then shown in order. */
  const newComments = async () => {
    const found = [];
    let cursor = "";
    for (let pages = 0; pages < COMMENTS_MAX / COMMENTS_PAGE; pages += 1) {
      const limit = loaded && !cursor ? 20 : COMMENTS_PAGE;
      const query = new URLSearchParams({ sort: "new", limit });
      if (cursor) query.set("cursor", cursor);
      const answer = await get(`/posts/${encodeURIComponent(post.id)}/comments?${query}`);
      const fresh = answer.comments.filter((c) => !known.has(c.id));
      found.push(...fresh);
      cursor = answer.next_cursor;
      if (!cursor || (loaded && fresh.length < answer.comments.length)) break;
    }
    return found.reverse();
  };
  const refresh = soon(async () => {
    let answer;
    try {
      answer = await get("/posts/" + encodeURIComponent(id));
    } catch (error) {
      if (error.status !== 404) throw error;
      if (!post) main.replaceChildren(h("section", { class: "card" }, h("h1", {}, "No such thread"), h("p", {}, "It may have been deleted. ", h("a", { href: "/", "data-route": true }, "All posts"))));
      else foot.replaceChildren(h("p", { class: "quiet" }, "This thread was deleted."));
      refresh.stop();
      return;
    }
    if (state.view !== view) return;
    post = answer;
    if (answer.focus_comment_id) focusId = answer.focus_comment_id;
    showPost();
    const comments = await newComments();
    if (state.view !== view) return;
    const added = comments.filter(add);
    if (!loaded) {
      loaded = true;
      const focus = focusId && known.get(focusId);
      if (focus) {
        focus.item.classList.add("fresh");
        focus.item.scrollIntoView({ block: "center" });
      }
    } else if (added.length) {
      announce(added.length === 1 ? `New reply by ${added[0].author.name}` : `${added.length} new replies`);
    }
  });
  const view = {
    kind: "thread",
    community: "",
    leave: () => refresh.stop(),
    onNews: (change) => {
      if (change && (change.event === "comment" || change.event === "post") && post && change.post_id !== post.id) return;
      refresh();
    },
    refresh,
  };
  state.view = view;
  refresh();
}
