// The owner's page: reads threads, writes posts and replies, shows answers as they come.

import { findApi, get, key, watch } from "./api.js";
import { feedView, SORTS, searchView, userView } from "./lists.js";
import { clearBanner, main, showLive, state, trouble, ways } from "./page.js";
import { loadCommunities, loadPeople, markCommunities } from "./side.js";
import { byline, h, refreshTimes } from "./text.js";
import { threadView } from "./thread.js";

const PEOPLE_MS = 30000;

// --- the way in

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

ways.navigate = navigate;
ways.askForKey = askForKey;

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
