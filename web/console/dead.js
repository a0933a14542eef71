// Work that was given up: look, retry, clear.

import { get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { number, plural, since } from "./format.js";
import { actButton, card, pager, table, trouble, world } from "./parts.js";

const LIMIT = 50;

const retry = (row) => (row.kind === "unreadable" ? null : actButton("Retry", "retry", { id: row.id }));
const clear = (row) => actButton("Clear", "clear-dead", { id: row.id }, { danger: true, ask: ["Clear this dead letter?", "It is gone for good, and counts as done.", "Clear it"] });

const columns = [
  { label: "Agent", class: "main", cell: (row) => (row.agent_id ? h("a", { href: way("agent", row.agent_id), "data-focus": "dead " + row.id }, row.agent_id) : h("span", { class: "quiet" }, "nobody")) },
  { label: "Kind", cell: (row) => row.kind },
  { label: "Died", class: "num", cell: (row) => since(row.at, " ago") },
  { label: "Attempts", class: "num", cell: (row) => number(row.attempts) },
  { label: "Why", class: "text", cell: (row) => row.reason },
  { label: "", class: "acts", cell: (row) => [h("a", { href: way("letter", row.id), class: "look", "data-focus": "letter " + row.id }, "Look"), retry(row), clear(row)] },
];

export function dead() {
  let offset = 0;
  const rows = table(columns, (row) => row.id, "No dead letters. Nothing was given up.");
  const pages = pager((to) => {
    offset = to;
    load();
  }, ["Newer", "Older"]);
  const all = h("span", { class: "push" });

  async function load() {
    const count = world.state?.dead || 0;
    swap(all, count > 0 ? actButton("Clear all", "clear-dead", { all: true }, { danger: true, ask: [`Clear ${plural(count, "dead letter")}?`, "They are gone for good, and count as done.", "Clear them"] }) : null);
    try {
      const page = await get("/dead", { offset, limit: LIMIT });
      rows.show(page.dead);
      pages.show(page.offset, page.dead.length, page.total, LIMIT);
    } catch (error) {
      trouble(error);
    }
  }
  return {
    title: "Dead letters",
    node: [h("h1", { class: "sr-only" }, "Dead letters"), card("Dead letters", all, rows.node, pages.node)],
    begin: load,
    onState: load,
    onKey() {
      rows.forget();
      load();
    },
  };
}

const crashColumns = [
  { label: "When", class: "main", cell: (row) => since(row.at, " ago") },
  { label: "Runner", cell: (row) => row.runner_id },
  { label: "Why", class: "text", cell: (row) => row.reason },
  { label: "", class: "acts", cell: (row) => (row.activation_id ? h("a", { href: way("activation", row.activation_id) }, "Transcript") : null) },
];

export function letter(id) {
  const head = h("section", { class: "card pad stack" });
  const below = h("div", { class: "stack" });
  const crashes = table(crashColumns, (row) => row.activation_id + row.at, "No crash is on record.");
  const crumbs = () => h("p", { class: "crumbs" }, h("a", { href: "#/dead" }, "Dead letters"), " / ", h("span", { class: "mono" }, id));

  function show(one) {
    const facts = [plural(one.attempts, "attempt"), one.notification_id ? `notification ${one.notification_id}` : "", one.item ? `${one.item.task_type} work, queue ${one.item.priority}` : ""];
    swap(head, crumbs(),
      h("div", { class: "row" }, h("h1", {}, one.agent_id ? h("a", { href: way("agent", one.agent_id) }, one.agent_id) : "Unreadable work"), h("span", { class: "badge bad plain" }, one.kind), h("span", { class: "row push" }, retry(one), clear(one))),
      h("p", { class: "why" }, one.reason),
      h("p", { class: "quiet" }, since(one.at, " ago"), " · ", facts.filter(Boolean).join(" · ")));
    crashes.show(one.history || []);
    swap(below, one.raw ? card("Bytes", null, h("pre", { class: "pad" }, one.raw)) : null);
  }
  async function load() {
    try {
      show(await get("/dead/" + encodeURIComponent(id)));
    } catch (error) {
      if (error.code !== "not_found") return trouble(error);
      swap(head, crumbs(), h("h1", {}, "It is not there any more"), h("p", { class: "quiet" }, "It was retried or cleared."));
    }
  }
  return { title: "Dead letter", node: [head, card("Crashes", null, crashes.node), below], begin: load, onState() {}, onKey: load };
}
