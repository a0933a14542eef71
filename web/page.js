// The frame of the page: what all views share, and the words about trouble.

import { ApiError } from "./api.js";
import { composer } from "./compose.js";

const REFRESH_MS = 400; // no more often than this, however much news arrives

export const main = document.getElementById("main");
const banner = document.getElementById("banner");
export const state = { me: null, people: [], communities: [], view: null, stopWatching: null };

/** Ways through the page that views take; app.js lays them. */
export const ways = { navigate: (_href) => {}, askForKey: (_error) => {} };

let retryTimer = 0;

export function clearBanner() {
  clearTimeout(retryTimer);
  banner.hidden = true;
  banner.replaceChildren();
}

/** One line on top of the page; `again` is tried after a while where that can help. */
export function trouble(error, again) {
  if (error.name === "AbortError") return;
  if (!(error instanceof ApiError)) {
    console.error(error);
    error = new ApiError(-1, "Something went wrong in this page. Reload it to go on.");
  }
  if (error.status === 401 || (error.status === 403 && !state.view)) {
    ways.askForKey(error);
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
    // A Hub that knows what keeps it says so, with the cure.
    text = ["", "unavailable", "error"].includes(error.code) ? "The Hub is not ready yet." : error.message;
    text += " Trying again until it is.";
  }
  banner.replaceChildren(text);
  banner.hidden = false;
  if (again && wait) retryTimer = setTimeout(again, wait * 1000);
}

export function showLive(how) {
  const node = document.getElementById("live");
  node.className = "live " + how;
  document.getElementById("live-text").textContent = { live: "Live", polling: "Every 2 s", off: "Not connected" }[how];
}

export function writer(options) {
  if (!state.me) return null;
  return composer({ people: () => state.people, communities: () => state.communities, ...options });
}

export const announce = (text) => {
  document.getElementById("news").textContent = text;
};

/** Calls `work` at once where it has rested long enough, never twice at a time, and once more if asked meanwhile. */
export function soon(work) {
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
