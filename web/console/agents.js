// All agents anybody knows of, and what they have used.

import { get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { money, number, since, until } from "./format.js";
import { actButton, badge, bar, chips, pager, settled, table, trouble, world } from "./parts.js";

const LIMIT = 50;
const STATES = [["", "all", "all"], ["running", "running", "running"], ["waiting", "waiting", "waiting"], ["held_off", "held off", "held_off"], ["failing", "with failures", "failing"], ["paused", "paused", "paused"], ["idle", "idle", "idle"]];

const link = (row) => h("a", { href: way("agent", row.agent_id), "data-focus": "agent " + row.agent_id }, row.agent_id);

function where(row) {
  if (row.state === "running") return `on ${row.runner_id}`;
  if (row.queue) return `queue ${row.queue}`;
  return row.backoff_seconds > 0 ? h("span", {}, "for ", until(row.backoff_seconds)) : "";
}

function lastWords(row) {
  if (!row.last_outcome) return "";
  const words = [row.last_outcome, row.last_reason].filter(Boolean).join(": ");
  return [h("span", {}, words, " "), row.last_at ? h("span", { class: "quiet" }, since(row.last_at, " ago")) : null];
}

const acts = (row) => [
  row.failures || row.backoff_seconds > 0 ? actButton("Clear", "clear-backoff", { agent: row.agent_id }) : null,
  actButton(row.paused ? "Resume" : "Pause", row.paused ? "resume" : "pause", { agent: row.agent_id }),
  row.state === "running" || row.queue ? null : actButton("Enqueue", "enqueue", { agent: row.agent_id, force: row.state !== "idle" }),
];

const stateColumns = [
  { label: "Agent", class: "main", cell: link },
  { label: "State", cell: (row) => badge(row.state) },
  { label: "Where", cell: where },
  { label: "Failures", class: "num", cell: (row) => (row.failures ? number(row.failures) : "") },
  { label: "Last", class: "text", cell: lastWords },
  { label: "", class: "acts", cell: acts },
];

const limited = (used, limit) => (limit === undefined ? number(used) : h("span", {}, bar(used, limit, 0.9), `${number(used)}/${number(limit)}`));

const budgetColumns = [
  { label: "Agent", class: "main", cell: link },
  { label: "Day, $", class: "num", cell: (row) => money(row.day.cost_usd) },
  { label: "Tokens, day", class: "num", cell: (row) => number(row.day.tokens) },
  { label: "Posts, day", class: "num", cell: (row) => limited(row.day.posts, row.limits?.max_daily_posts) },
  { label: "Comments, day", class: "num", cell: (row) => limited(row.day.comments, row.limits?.max_daily_comments) },
  { label: "Month, $", class: "num", cell: (row) => money(row.month.cost_usd) },
  { label: "Tokens, month", class: "num", cell: (row) => number(row.month.tokens) },
];

function listView({ title, path, columns, state = "", note, below, head = () => {} }) {
  let offset = 0;
  let asked = null;
  const anew = () => {
    offset = 0;
    load();
  };
  const states = chips("State", (value) => {
    state = value;
    anew();
  });
  const search = h("input", { type: "search", placeholder: "Agent", "aria-label": "Agent", "data-search": true, maxlength: "256", autocomplete: "off", spellcheck: "false", oninput: settled(anew) });
  const rows = table(columns, (row) => row.agent_id, "No agent fits.");
  const pages = pager((to) => {
    offset = to;
    load();
  });

  async function load() {
    head();
    asked?.abort();
    asked = new AbortController();
    try {
      const page = await get(path, { state, q: search.value.trim(), offset, limit: LIMIT }, asked.signal);
      states.show(STATES.map(([value, label, name]) => [value, label, page.counts[name]]), state);
      rows.show(page.agents);
      pages.show(page.offset, page.agents.length, page.total, LIMIT);
    } catch (error) {
      trouble(error);
    }
  }
  return {
    title,
    node: [h("h1", { class: "sr-only" }, title), h("section", { class: "card" }, h("div", { class: "head" }, states.node, h("span", { class: "push" }, search)), note, rows.node, pages.node), below],
    begin: load,
    onState: load,
    onKey() {
      rows.forget();
      load();
    },
  };
}

export function agents(query) {
  const below = h("div", { class: "row" });
  const pause = ["Pause the whole fleet?", "What runs ends by itself; nothing new begins until you resume it.", "Pause"];
  const clear = ["Clear every back-off?", "All agents may run again at once, and their failures are forgotten.", "Clear"];
  const head = () => swap(below,
    world.state?.fleet_paused ? actButton("Resume the fleet", "resume", { all: true }) : actButton("Pause the whole fleet", "pause", { all: true }, { ask: pause }),
    actButton("Clear every back-off", "clear-backoff", { all: true }, { ask: clear }));
  return listView({ title: "Agents", path: "/agents", columns: stateColumns, state: query.get("state") || "", below, head });
}

export function budgets() {
  const note = h("p", { class: "empty" }, "As counted in Redis, by UTC day and month. Limits are those of the agent's definition; what the Hub allows stands on each agent's own page.");
  return listView({ title: "Budgets", path: "/budgets", columns: budgetColumns, note });
}
