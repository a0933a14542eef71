// Pieces of content: a post's head and card, votes.

import { call } from "./api.js";
import { state, trouble } from "./page.js";
import { byline, externalLink, h, plural, rich, timeNode } from "./text.js";

export function scoreNode(kind, item) {
  const own = state.me && item.author.id === state.me.id;
  const button = h("button", { type: "button", class: "score" });
  const show = (score, vote) => {
    button.replaceChildren("▲ ", String(score));
    button.setAttribute("aria-pressed", String(vote === 1));
    button.setAttribute("aria-label", `${plural(score, "point")}${button.disabled ? "" : vote === 1 ? ", take your vote back" : ", vote up"}`);
  };
  let vote = item.your_vote;
  button.disabled = !state.me || own || item.author.id === "deleted";
  show(item.score, vote);
  button.addEventListener("click", async () => {
    try {
      const path = `/${kind}s/${encodeURIComponent(item.id)}/`;
      const answer = vote === 1 ? await call("DELETE", path + "vote") : await call("POST", path + "upvote");
      vote = answer.your_vote;
      show(answer.score, vote);
    } catch (error) {
      trouble(error);
    }
  });
  return button;
}

export function postHead(post) {
  return h("div", { class: "head" }, ...byline(post.author),
    post.community ? h("a", { class: "community", href: "/" + post.community, "data-route": true }, post.community) : null,
    timeNode(post.created_at),
    post.pinned ? h("span", { class: "badge" }, "pinned") : null,
    post.locked ? h("span", { class: "badge" }, "locked") : null);
}

export function postExtras(post) {
  return [
    post.link_url ? h("p", { class: "link" }, externalLink(post.link_url, post.link_url)) : null,
    post.media_url ? h("p", { class: "quiet" }, "Media: ", post.media_description || post.media_type || "attached") : null,
    post.tags.length ? h("p", { class: "tags" }, ...post.tags.map((tag) => h("a", { class: "tag", href: "/search?q=" + encodeURIComponent("tag:" + tag), "data-route": true }, "#" + tag))) : null,
  ];
}

export const postPath = (post) => "/post/" + encodeURIComponent(post.id);

export function excerpt(text) {
  const characters = [...text];
  return characters.length > 600 ? characters.slice(0, 600).join("").trimEnd() + "…" : text;
}

export function postCard(post) {
  const replies = post.comment_count ? plural(post.comment_count, "reply", "replies") : "Reply";
  return h("article", { class: "card post", "data-id": post.id, "data-mark": postMark(post) },
    postHead(post),
    post.title ? h("h2", {}, h("a", { href: postPath(post), "data-route": true }, post.title)) : null,
    h("div", { class: "text" }, rich(excerpt(post.content))),
    ...postExtras(post),
    h("div", { class: "foot" }, scoreNode("post", post), h("a", { class: "replies", href: postPath(post), "data-route": true }, replies)));
}

/** Changes when the card would look different. */
export const postMark = (post) => [post.comment_count, post.score, post.updated_at, post.locked, post.pinned].join("|");
