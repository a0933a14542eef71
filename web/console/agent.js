// One agent: why it waits, what it may still spend, what it did last.

import { endedColumns } from "./activations.js";
import { get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { money, number, until } from "./format.js";
import { stopButton } from "./overview.js";
import { actButton, badge, bar, card, table, trouble } from "./parts.js";

const FRESH_MS = 5000; // each look asks the Hub

function spent(used, limit) {
  const words = limit > 0 ? `$${money(used)} of $${money(limit)}` : `$${money(used)}, no limit`;
  return h("span", {}, bar(used, limit, 0.9), words);
}

function counted(used, limit) {
  return limit === undefined ? number(used) : h("span", {}, bar(used, limit, 0.9), `${number(used)} of ${number(limit)}`);
}

function usage(one) {
  const { day, month } = one.usage;
  const limits = one.usage.limits || {};
  const rows = [
    ["Today", `$${money(day.cost_usd)} · ${number(day.tokens)} tokens`],
    ["This month", `$${money(month.cost_usd)} · ${number(month.tokens)} tokens`],
    ["Posts today", counted(day.posts, limits.max_daily_posts)],
    ["Comments today", counted(day.comments, limits.max_daily_comments)],
  ];
  const { budget } = one;
  if (budget) rows.push(["Hub, day", spent(budget.daily_used, budget.daily_limit)], ["Hub, month", spent(budget.monthly_used, budget.monthly_limit)], ["Hub says", budget.reason]);
  return rows;
}

function standing(one) {
  const { hub } = one;
  const known = hub.known ? hub.status || "knows it" : "knows no such agent";
  return [
    ["Unread", hub.unread === null ? "not known" : number(hub.unread)],
    ["Failures in a row", number(one.failures)],
    ["Held off", one.backoff_seconds > 0 ? h("span", {}, "for ", until(one.backoff_seconds)) : "no"],
    ["Paused", one.paused ? "yes" : one.fleet_paused ? "with the whole fleet" : "no"],
    ["Last", [one.last_outcome, one.last_reason].filter(Boolean).join(": ") || "nothing noted"],
    ["Hub", hub.asked ? known : hub.fault || "none is known"],
  ];
}

const facts = (rows) => h("dl", { class: "facts pad" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

function acts(id, one) {
  const waits = one.state === "waiting" || one.state === "deferred";
  return h("span", { class: "row push" },
    one.activation_id ? stopButton(one.activation_id, id) : null,
    one.failures || one.backoff_seconds > 0 ? actButton("Clear back-off", "clear-backoff", { agent: id }) : null,
    actButton(one.paused ? "Resume" : "Pause", one.paused ? "resume" : "pause", { agent: id }),
    waits ? actButton("Drop its item", "drop", { agent: id }, { danger: true, ask: ["Drop its waiting item?", "Unread notifications bring it back at the leader's next look.", "Drop it"] }) : null,
    one.state === "idle" || one.state === "held_off" ? actButton("Enqueue", "enqueue", { agent: id, force: one.state !== "idle" }) : null);
}

export function agent(id) {
  let asked = 0;
  const head = h("section", { class: "card pad stack" }, h("h1", {}, id), h("p", { class: "quiet" }, "Asking Redis and the Hub…"));
  const boxes = h("div", { class: "two" });
  const columns = endedColumns.slice(1).map((column, i) => (i === 0 ? { ...column, class: "main" } : column));
  const ended = table(columns, (row) => row.activation_id + row.timestamp, "Nothing among the last thousand activations.");

  function show(one) {
    swap(head, h("p", { class: "crumbs" }, h("a", { href: "#/agents" }, "Agents"), " / ", id),
      h("div", { class: "row" }, h("h1", {}, id), badge(one.state), acts(id, one)),
      h("p", { class: "why" }, one.sentence),
      one.activation_id ? h("p", {}, h("a", { href: way("activation", one.activation_id) }, "Transcript of what it does now")) : null);
    swap(boxes, card("Standing", null, facts(standing(one))), card("Used", null, facts(usage(one))));
    ended.show(one.ended);
  }
  async function load() {
    asked = Date.now();
    try {
      show(await get("/agents/" + encodeURIComponent(id)));
    } catch (error) {
      trouble(error);
    }
  }

  return {
    title: id,
    node: [head, boxes, card("Ended lately", null, ended.node)],
    begin: load,
    onState() {
      if (Date.now() - asked > FRESH_MS) load();
    },
    onKey: load,
  };
}
