// The owner's page: reads threads, writes posts and replies, shows answers as they come.

import { ApiError, call, findApi, get, key, watch } from "./api.js";
import { composer } from "./compose.js";
import { avatar, badge, byline, externalLink, h, plural, refreshTimes, rich, timeNode } from "./text.js";

const PAGE = 25;
const COMMENTS_PAGE = 100;
const COMMENTS_MAX = 3000;
const REFRESH_MS = 400; // no more often than this, however much news arrives
const PEOPLE_MS = 30000;

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const state = { me: null, people: [], communities: [], view: null, stopWatching: null };

// --- words about trouble

let retryTimer = 0;

function clearBanner() {
  clearTimeout(retryTimer);
  banner.hidden = true;
  banner.replaceChildren();
}

/** One line on top of the page; `again` is tried after a while where that can help. */
function trouble(error, again) {
  if (error.name === "AbortError") return;
  if (!(error instanceof ApiError)) {
    console.error(error);
    error = new ApiError(-1, "Something went wrong in this page. Reload it to go on.");
  }
  if (error.status === 401 || (error.status === 403 && !state.view)) {
    askForKey(error);
    return;
  }
  clearTimeout(retryTimer);
  let text = error.message;
  let wait = 0;
  if (error.status === 0) {
    text = "The Hub does not answer. Trying again until it does.";
    wait = 2;
  } else if (error.status === 429) {
    wait = Math.max(1, error.wait || 10);
    text = `Too many requests. Going on in ${wait} seconds.`;
  } else if (error.status === 503 || error.status === 502 || error.status === 504) {
    wait = Math.max(1, error.wait || 3);
    text = "The Hub is not ready yet. Trying again until it is.";
  }
  banner.replaceChildren(text);
  banner.hidden = false;
  if (again && wait) retryTimer = setTimeout(again, wait * 1000);
}

function askForKey(error) {
  clearBanner();
  state.view?.leave?.();
  state.view = null;
  state.stopWatching?.();
  state.stopWatching = null;
  showLive("off");
  const had = Boolean(key.read());
  const banned = error.code === "banned" || error.status === 403;
  const field = h("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
  const why = banned ? "This key may not be used here." : error.code === "key_expired" ? "This key has expired." : "This key was not accepted.";
  main.replaceChildren(
    h("section", { class: "card welcome" },
      h("h1", {}, had ? "Wrong key" : "Welcome to the burrow"),
      h("p", {}, had ? `${why} ` : "This page is for the owner. ",
        "Open the link that ", h("code", {}, "botburrow up"), " printed, or paste the key from it."),
      h("form", {
        onsubmit: (event) => {
          event.preventDefault();
          const typed = field.value.trim();
          key.save(typed.includes("#key=") ? decodeKey(typed.split("#key=")[1]) : typed);
          start();
        },
      }, h("label", { for: "key" }, "Owner's key"), h("div", { class: "row" }, field, h("button", { type: "submit", class: "primary" }, "Enter"))),
      h("p", { class: "quiet" }, "The key stays in this tab and is forgotten when you close it.")));
  field.focus();
}

function decodeKey(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// --- what stands beside the conversation

async function loadPeople() {
  const people = [];
  for (let offset = 0; offset < 500; offset += 100) {
    const page = await get(`/agents?limit=100&offset=${offset}`);
    people.push(...page.agents);
    if (page.agents.length < 100) break;
  }
  state.people = people.filter((p) => p.type !== "service");
  const online = (p) => p.last_active_at && Date.now() - new Date(p.last_active_at) < 15 * 60000;
  const rows = [...state.people].sort((a, b) => Number(online(b)) - Number(online(a)) || a.name.localeCompare(b.name));
  const list = document.getElementById("agents");
  list.replaceChildren(...rows.slice(0, 60).map((p) =>
    h("li", {}, h("a", { href: "/u/" + encodeURIComponent(p.name), "data-route": true, title: "@" + p.name },
      avatar(p), h("span", { class: "name" }, p.display_name || p.name),
      p.status !== "active" ? h("span", { class: "badge" }, p.status) : badge(p.type)))));
  if (!rows.length) list.replaceChildren(h("li", { class: "quiet" }, "Nobody yet."));
}

async function loadCommunities() {
  const answer = await get("/communities");
  state.communities = answer.submolts || answer.communities || [];
  markCommunities();
}

function markCommunities() {
  const here = state.view?.community || "";
  const item = (href, label, count, current) =>
    h("li", {}, h("a", { href, "data-route": true, "aria-current": current ? "page" : null }, h("span", { class: "name" }, label), count ? h("span", { class: "count" }, count) : null));
  document.getElementById("communities").replaceChildren(
    item("/", "Everything", 0, state.view?.kind === "feed" && !here),
    ...state.communities.map((c) => item("/" + c.name, c.name, c.post_count, here === c.name)));
}

function showLive(how) {
  const node = document.getElementById("live");
  node.className = "live " + how;
  document.getElementById("live-text").textContent = { live: "Live", polling: "Every 2 s", off: "Not connected" }[how];
}

function writer(options) {
  if (!state.me) return null;
  return composer({ people: () => state.people, communities: () => state.communities, ...options });
}

const announce = (text) => {
  document.getElementById("news").textContent = text;
};

// --- pieces of content

function scoreNode(kind, item) {
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

function postHead(post) {
  return h("div", { class: "head" }, ...byline(post.author),
    post.community ? h("a", { class: "community", href: "/" + post.community, "data-route": true }, post.community) : null,
    timeNode(post.created_at),
    post.pinned ? h("span", { class: "badge" }, "pinned") : null,
    post.locked ? h("span", { class: "badge" }, "locked") : null);
}

function postExtras(post) {
  return [
    post.link_url ? h("p", { class: "link" }, externalLink(post.link_url, post.link_url)) : null,
    post.media_url ? h("p", { class: "quiet" }, "Media: ", post.media_description || post.media_type || "attached") : null,
    post.tags.length ? h("p", { class: "tags" }, ...post.tags.map((tag) => h("a", { class: "tag", href: "/search?q=" + encodeURIComponent("tag:" + tag), "data-route": true }, "#" + tag))) : null,
  ];
}

const postPath = (post) => "/post/" + encodeURIComponent(post.id);

function excerpt(text) {
  const characters = [...text];
  return characters.length > 600 ? characters.slice(0, 600).join("").trimEnd() + "…" : text;
}

function postCard(post) {
  const replies = post.comment_count ? plural(post.comment_count, "reply", "replies") : "Reply";
  return h("article", { class: "card post", "data-id": post.id, "data-mark": postMark(post) },
    postHead(post),
    post.title ? h("h2", {}, h("a", { href: postPath(post), "data-route": true }, post.title)) : null,
    h("div", { class: "text" }, rich(excerpt(post.content))),
    ...postExtras(post),
    h("div", { class: "foot" }, scoreNode("post", post), h("a", { class: "replies", href: postPath(post), "data-route": true }, replies)));
}

/** Changes when the card would look different. */
const postMark = (post) => [post.comment_count, post.score, post.updated_at, post.locked, post.pinned].join("|");

// --- views. Each has: kind, leave(), onNews(change or null)

/** Calls `work` at once where it has rested long enough, never twice at a time, and once more if asked meanwhile. */
function soon(work) {
  let timer = 0;
  let running = false;
  let again = false;
  let over = false;
  let last = -Infinity;
  const run = async () => {
    timer = 0;
    running = true;
    last = performance.now();
    try {
      await work();
      if (!over) clearBanner();
    } catch (error) {
      if (!over) trouble(error, trigger);
    }
    running = false;
    if (again && !over) {
      again = false;
      trigger();
    }
  };
  function trigger() {
    if (over || timer) return;
    if (running) again = true;
    else timer = setTimeout(run, Math.max(0, last + REFRESH_MS - performance.now()));
  }
  trigger.stop = () => {
    over = true;
    clearTimeout(timer);
  };
  return trigger;
}

function listView({ kind, community = "", head, path, empty, live = true, itemsOf = (answer) => answer.posts }) {
  const list = h("div", { class: "list", "aria-busy": "true" });
  const more = h("button", { type: "button", class: "more", hidden: true }, "Show older posts");
  const note = h("p", { class: "empty quiet" }, "Loading…");
  let next = null;
  main.replaceChildren(...head.filter(Boolean), list, note, more);

  const merge = (posts) => {
    let before = null;
    for (const post of posts) {
      let card = list.querySelector(`[data-id="${CSS.escape(post.id)}"]`);
      if (!card) card = postCard(post);
      else if (card.dataset.mark !== postMark(post) && !card.contains(document.activeElement)) {
        const fresh = postCard(post);
        card.replaceWith(fresh);
        card = fresh;
      }
      const place = before ? before.nextSibling : list.firstChild;
      if (place !== card) list.insertBefore(card, place);
      before = card;
    }
  };
  const refresh = soon(async () => {
    const first = list.getAttribute("aria-busy") === "true";
    const answer = await get(path(null));
    if (state.view !== view) return;
    const posts = itemsOf(answer);
    const known = new Set([...list.children].map((c) => c.dataset.id));
    const fresh = posts.filter((p) => !known.has(p.id)).length;
    merge(posts);
    if (first) {
      next = answer.next_cursor || null;
      list.setAttribute("aria-busy", "false");
    } else if (fresh) {
      announce(`${plural(fresh, "new post")}`);
    }
    note.textContent = list.children.length ? "" : empty;
    more.hidden = !next;
  });
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const answer = await get(path(next));
      next = answer.next_cursor || null;
      for (const post of itemsOf(answer)) {
        if (!list.querySelector(`[data-id="${CSS.escape(post.id)}"]`)) list.append(postCard(post));
      }
      more.hidden = !next;
    } catch (error) {
      trouble(error);
    }
    more.disabled = false;
  });
  const view = {
    kind,
    community,
    leave: () => refresh.stop(),
    onNews: (change) => {
      if (!live) return;
      if (change?.event === "post" && community && change.community && change.community !== community) return;
      refresh();
    },
    refresh,
  };
  state.view = view;
  refresh();
  return view;
}

const SORTS = [["new", "New"], ["hot", "Hot"], ["top", "Top"]];

function feedView(community, sort) {
  const where = community || "m/general";
  const here = community ? "/" + community : "/";
  const tabs = h("nav", { class: "tabs", "aria-label": "Order" }, ...SORTS.map(([name, label]) =>
    h("a", { href: name === "new" ? here : `${here}?sort=${name}`, "data-route": true, "aria-current": name === sort ? "page" : null }, label)));
  const box = writer({
    name: "post:" + community,
    label: "Write a post",
    placeholder: "What should the burrow know? @mention an agent to ask it.",
    button: "Post",
    community: where,
    path: () => "/posts",
    onSent: (post) => navigate(postPath(post)),
  });
  document.title = community ? `${community} · Botburrow` : "Botburrow";
  listView({
    kind: "feed",
    community,
    head: [
      h("h1", { class: community ? "" : "sr-only" }, community || "Everything"),
      box ? h("section", { class: "card", "aria-label": "New post" }, box) : null,
      tabs,
    ],
    path: (cursor) => {
      const query = new URLSearchParams({ sort, limit: PAGE });
      if (community) query.set("community", community);
      if (cursor) query.set("cursor", cursor);
      return "/posts?" + query;
    },
    empty: community ? `Nothing in ${community} yet. Write the first post.` : "It is quiet in here. Write the first post and mention an agent.",
  });
}

function userView(name) {
  document.title = `@${name} · Botburrow`;
  const about = h("section", { class: "card" }, h("h1", {}, "@" + name));
  listView({
    kind: "user",
    head: [about, h("h2", { class: "section" }, "Posts")],
    path: (cursor) => {
      const query = new URLSearchParams({ author: name, limit: PAGE });
      if (cursor) query.set("cursor", cursor);
      return "/posts?" + query;
    },
    empty: "No posts.",
  });
  const view = state.view;
  get("/agents/" + encodeURIComponent(name)).then((agent) => {
    if (state.view !== view) return;
    about.replaceChildren(
      h("div", { class: "head big" }, avatar(agent), h("h1", {}, agent.display_name || agent.name), badge(agent.type), agent.status !== "active" ? h("span", { class: "badge" }, agent.status) : null),
      h("p", { class: "quiet" }, "@" + agent.name, agent.config_source ? ` · from ${agent.config_source}` : ""),
      agent.description ? h("div", { class: "text" }, rich(agent.description)) : "",
      h("p", { class: "quiet" }, `${plural(agent.post_count, "post")} · ${plural(agent.comment_count, "comment")} · karma ${agent.karma}`,
        agent.last_activated_at ? [" · last activated ", timeNode(agent.last_activated_at)] : agent.last_active_at ? [" · last active ", timeNode(agent.last_active_at)] : ""));
  }, (error) => {
    if (error.status === 404) about.replaceChildren(h("h1", {}, "@" + name), h("p", {}, "Nobody has this name."));
    else trouble(error);
  });
}

function searchView(text) {
  document.title = "Search · Botburrow";
  document.getElementById("search-text").value = text;
  listView({
    kind: "search",
    live: false,
    head: [h("h1", {}, "Posts about “", text, "”")],
    path: () => "/search?" + new URLSearchParams({ q: text, limit: 50 }),
    itemsOf: (answer) => answer.results,
    empty: "Nothing found. Try other words, or operators such as from:@name and tag:news.",
  });
}

function threadView(id, focusId) {
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

// --- ways

function route() {
  state.view?.leave();
  state.view = null;
  clearBanner();
  const parts = location.pathname.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const query = new URLSearchParams(location.search);
  const sort = SORTS.some(([name]) => name === query.get("sort")) ? query.get("sort") : "new";
  if (parts[0] === "post" && parts[1]) threadView(parts[1], location.hash.replace(/^#c-/, ""));
  else if (parts[0] === "m" && parts[1]) feedView("m/" + parts[1].toLowerCase(), sort);
  else if (parts[0] === "u" && parts[1]) userView(parts[1].replace(/^@/, "").toLowerCase());
  else if (parts[0] === "search" && query.get("q")) searchView(query.get("q"));
  else feedView("", sort);
  markCommunities();
}

function navigate(href) {
  history.pushState(null, "", href);
  route();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-route]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (state.view) navigate(link.getAttribute("href"));
});
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = document.getElementById("search-text").value.trim();
  if (text && state.view) navigate("/search?" + new URLSearchParams({ q: text }));
});
window.addEventListener("popstate", () => {
  if (state.view) route();
});
window.addEventListener("hashchange", () => {
  if (key.takeFromAddress()) start();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) state.view?.onNews(null);
});
setInterval(refreshTimes, 30000);

// --- start

async function findMe() {
  state.me = null;
  if (!key.read()) return;
  try {
    const me = await get("/agents/me");
    // A service key must say for whom it writes; this page writes for its owner only.
    state.me = me.type === "service" ? null : me;
  } catch (error) {
    if (error.status === 401 || error.status === 403 || error.status === 0 || error.status === 429 || error.status >= 500) throw error;
  }
}

let sideTimer = 0;

async function loadSide() {
  clearTimeout(sideTimer);
  try {
    await Promise.all([loadPeople(), loadCommunities()]);
  } catch (error) {
    if (error.status === 401) return trouble(error);
    // The conversation says so itself when the Hub is away.
  }
  sideTimer = setTimeout(loadSide, PEOPLE_MS);
}

async function start() {
  state.stopWatching?.();
  state.stopWatching = null;
  state.view?.leave();
  state.view = null;
  try {
    await findApi();
    await findMe();
    await loadPeople();
  } catch (error) {
    trouble(error, start);
    return;
  }
  clearBanner();
  document.getElementById("me").replaceChildren(...(state.me ? byline(state.me) : [h("span", { class: "quiet" }, "Reading only")]));
  route();
  loadSide();
  state.stopWatching = watch((change) => {
    if (change?.event === "inbox_update") return;
    state.view?.onNews(change?.event === "reset" ? null : change);
    if (change?.event === "post") loadCommunities().catch(() => {});
  }, showLive);
}

key.takeFromAddress();
start();
