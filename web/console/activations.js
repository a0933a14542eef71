// What runs, and what ended, newest first, in pages.

import { get } from "./api.js";
import { h, way } from "./dom.js";
import { money, number, plural, since, span } from "./format.js";
import { runningColumns } from "./overview.js";
import { badge, card, pager, settled, table, trouble } from "./parts.js";

const LIMIT = 50;
const STATUSES = ["success", "failure", "timeout", "skipped", "cancelled"];

export const endedColumns = [
  { label: "Agent", class: "main", cell: (row) => h("a", { href: way("agent", row.agent_id), "data-focus": "ended " + row.activation_id }, row.agent_name) },
  { label: "Ended as", cell: (row) => badge(row.status) },
  { label: "When", class: "num", cell: (row) => since(row.timestamp, " ago") },
  { label: "Took", class: "num", cell: (row) => span(row.duration_seconds) },
  { label: "Task", cell: (row) => row.task_type },
  { label: "Tokens", class: "num", cell: (row) => (row.tokens ? number(row.tokens) : "") },
  { label: "Cost, $", class: "num", cell: (row) => (row.cost_usd ? money(row.cost_usd) : "") },
  { label: "Wrote", class: "num", cell: (row) => (row.posts + row.comments ? number(row.posts + row.comments) : "") },
  { label: "Why", class: "text", cell: (row) => row.error || "" },
  { label: "", class: "acts", cell: (row) => (row.activation_id ? h("a", { href: way("activation", row.activation_id) }, "Transcript") : null) },
];

function history() {
  let offset = 0;
  let behind = []; // where earlier pages began: with a filter they are not all of one length
  let asked = null;
  const rows = table(endedColumns, (row) => row.activation_id + row.timestamp, "Nothing has ended that fits.");
  const pages = pager((to, which) => {
    if (which === "on") behind.push(offset);
    offset = which === "on" ? to : behind.pop() || 0;
    load();
  }, ["Newer", "Older"]);
  const total = h("span", { class: "quiet" });
  const anew = () => {
    offset = 0;
    behind = [];
    load();
  };
  const agent = h("input", { type: "search", placeholder: "Agent", "aria-label": "Agent", "data-search": true, maxlength: "256", autocomplete: "off", spellcheck: "false", oninput: settled(anew) });
  const status = h("select", { "aria-label": "Ended as", onchange: anew }, h("option", { value: "" }, "any end"), STATUSES.map((name) => h("option", { value: name }, name)));

  async function load() {
    asked?.abort();
    asked = new AbortController();
    try {
      const page = await get("/ended", { offset, limit: LIMIT, status: status.value, agent: agent.value.trim() }, asked.signal);
      rows.show(page.ended);
      pages.show(page.offset, page.ended.length, page.total, LIMIT, page.next);
      total.textContent = `${plural(page.total, "activation")} kept`;
    } catch (error) {
      trouble(error);
    }
  }
  return {
    node: card("Ended", h("div", { class: "row push" }, total, status, agent), rows.node, pages.node),
    load,
    // Further back nothing changes but the places, and who reads there is not disturbed.
    refresh: () => (offset === 0 ? load() : undefined),
  };
}

export function activations() {
  let offset = 0;
  const running = table(runningColumns, (row) => row.activation_id || row.agent_id, "Nothing runs now.");
  const pages = pager((to) => {
    offset = to;
    load();
  });
  const ended = history();

  async function load() {
    try {
      const page = await get("/running", { offset, limit: LIMIT });
      running.show(page.running);
      pages.show(page.offset, page.running.length, page.total, LIMIT);
    } catch (error) {
      trouble(error);
    }
  }

  return {
    title: "Activations",
    node: [h("h1", { class: "sr-only" }, "Activations"), card("Running", null, running.node, pages.node), ended.node],
    begin() {
      load();
      ended.load();
    },
    onState() {
      load();
      ended.refresh();
    },
    onKey() {
      running.forget();
      load();
    },
  };
}
