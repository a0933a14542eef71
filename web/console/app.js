// The console: which view, and what lives.

import { activations } from "./activations.js";
import { agent } from "./agent.js";
import { agents, budgets } from "./agents.js";
import { key, watch } from "./api.js";
import { dead, letter } from "./dead.js";
import { h, swap } from "./dom.js";
import { clock, number, refreshTimes } from "./format.js";
import { listen } from "./keys.js";
import { begin, toggleLock, unlock } from "./lock.js";
import { overview } from "./overview.js";
import { world } from "./parts.js";
import { queueView } from "./queue.js";
import { transcript } from "./transcript.js";

const TABS = [["", "Overview"], ["queue", "Queue"], ["activations", "Activations"], ["agents", "Agents"], ["dead", "Dead letters"], ["budgets", "Budgets"]];
const PARENT = { agent: "agents", activation: "activations", letter: "dead" };
const VIEWS = {
  "": overview, queue: queueView, activations, agents: (_, query) => agents(query), agent, activation: transcript, dead, letter, budgets,
};
const LIST_MS = 3000; // lists follow the state no faster than this

const main = document.getElementById("main");
let view = null;
let place = "";
let timer = 0;

// --- which view

const decoded = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

function address() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decoded);
  return { name: Object.hasOwn(VIEWS, name) ? name : "", argument: rest.join("/"), query: new URLSearchParams(query || "") };
}

function route() {
  const { name, argument, query } = address();
  place = name;
  clearTimeout(timer);
  timer = 0;
  view = VIEWS[name](argument, query);
  document.title = `${view.title} · Botburrow console`;
  swap(main, view.node);
  window.scrollTo(0, 0);
  showTabs();
  document.querySelector(".tab[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  view.enter?.();
  view.begin();
  if (world.state && place === "") view.onState(world.state);
}

/** What a tab counts, and how bad that is. */
function count(name, state) {
  if (!state || state.queues === undefined) return [0, ""];
  const counts = {
    queue: [state.queues.reduce((sum, lane) => sum + lane.depth, 0) + state.deferred, ""],
    activations: [state.running_total, ""],
    agents: [state.held_off, "warn"],
    dead: [state.dead, "bad"],
  };
  return counts[name] || [0, ""];
}

function showTabs() {
  const here = PARENT[place] || place;
  swap(document.getElementById("tabs"), TABS.map(([name, label]) => {
    const [n, look] = count(name, world.state);
    return h("a", { class: "tab", href: "#/" + name, "aria-current": name === here ? "page" : null, "data-focus": "tab " + name }, label, n ? h("span", { class: `count ${look}` }, number(n)) : null);
  }));
}

// --- what lives

function showWhere(state) {
  const [look, word, who] = !state.leader ? ["bad", "no leader", state.instance_id] : state.leads ? ["good", "leads", state.instance_id] : ["info", "follows", `${state.instance_id}; ${state.leader} leads`];
  swap(document.getElementById("where"), h("span", { class: `badge ${look}` }, word), h("span", {}, who),
    state.epoch === undefined ? null : h("span", { title: "Elections so far" }, `epoch ${number(state.epoch)}`), h("span", { title: state.commit }, state.version));
}

function showBanner(state) {
  const banner = document.getElementById("banner");
  banner.hidden = state.redis.ok;
  banner.textContent = state.redis.ok ? "" : `Redis has not answered since ${clock(state.redis.since)}. What is shown is as it was then; this page recovers by itself.`;
}

function onState(state) {
  world.state = state;
  showWhere(state);
  showBanner(state);
  showTabs();
  if (!view) return;
  if (place === "") return view.onState(state);
  if (timer || !state.redis.ok) return;
  timer = setTimeout(() => {
    timer = 0;
    view.onState(world.state);
  }, LIST_MS);
}

function onLive(how) {
  document.getElementById("live").dataset.live = how;
  document.getElementById("live-text").textContent = { live: "Live", asking: "Asking every few seconds", off: "The coordinator does not answer" }[how];
}

// --- start

world.reload = () => view?.begin();
world.keyChanged = () => view?.onKey();
world.unlock = unlock;
document.getElementById("unlock").addEventListener("click", toggleLock);
window.addEventListener("hashchange", () => {
  if (key.takeFromAddress()) begin().then(route);
  else route();
});
setInterval(refreshTimes, 1000);
listen(TABS.map(([name]) => "#/" + name), main);
key.takeFromAddress();
begin().then(() => {
  route();
  watch(onState, onLive);
});
