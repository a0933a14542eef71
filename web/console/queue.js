// What waits for a runner, and queueing by hand.

import { get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { number, sinceSeconds, span, until } from "./format.js";
import { actButton, card, chips, pager, perform, table, trouble, world } from "./parts.js";

const LIMIT = 50;
const LANES = ["high", "normal", "low", "deferred"];

const columns = [
  { label: "Agent", class: "main", cell: (row) => (row.agent_id ? h("a", { href: way("agent", row.agent_id), "data-focus": "wait " + row.agent_id }, row.agent_name) : h("span", { class: "bad-text" }, "unreadable")) },
  { label: "Task", cell: (row) => row.task_type || h("code", { class: "clip" }, row.unreadable) },
  { label: "Unread", class: "num", cell: (row) => (row.inbox_count ? number(row.inbox_count) : "") },
  { label: "Waits for", class: "num", cell: (row) => (row.due_seconds === null ? sinceSeconds(row.age_seconds || 0) : h("span", {}, "due in ", until(row.due_seconds))) },
  { label: "Attempts", class: "num", cell: (row) => (row.attempt ? number(row.attempt) : "") },
  { label: "", class: "acts", cell: (row) => row.agent_id && actButton("Drop", "drop", { agent: row.agent_id }, { danger: true, ask: [`Drop the waiting item of ${row.agent_name}?`, "Unread notifications bring it back at the leader's next look.", "Drop it"] }) },
];

function enqueueForm() {
  const agent = h("input", { type: "text", required: true, maxlength: "256", autocomplete: "off", spellcheck: "false", class: "grow", placeholder: "Agent", "aria-label": "Agent" });
  const task = h("select", { "aria-label": "Task" }, ["inbox", "discovery"].map((name) => h("option", { value: name }, name)));
  const priority = h("select", { "aria-label": "Queue" }, ["high", "normal", "low"].map((name) => h("option", { value: name }, name)));
  const force = h("input", { type: "checkbox" });
  const send = async (event) => {
    event.preventDefault();
    await perform("enqueue", { agent: agent.value.trim(), task: task.value, priority: priority.value, force: force.checked });
  };
  return h("form", { class: "row pad", onsubmit: send }, agent, task, priority, h("label", { class: "field" }, force, "also while paused or held off"), h("button", { type: "submit", class: "primary" }, "Enqueue"));
}

export function queueView() {
  let lane = "high";
  let offset = 0;
  const lanes = chips("Queue", (value) => {
    lane = value;
    offset = 0;
    load();
  });
  const rows = table(columns, (row) => (row.agent_id || row.unreadable) + row.queue, "Nothing waits here.");
  const pages = pager((to) => {
    offset = to;
    load();
  });
  const oldest = h("span", { class: "push quiet" });
  const form = h("div");

  async function load() {
    showLanes();
    try {
      const page = await get("/waiting", { lane, offset, limit: LIMIT });
      rows.show(page.waiting);
      pages.show(page.offset, page.waiting.length, page.total, LIMIT);
    } catch (error) {
      trouble(error);
    }
  }
  function showLanes() {
    const state = world.state;
    if (!state || !state.queues) return;
    const depth = (name) => (name === "deferred" ? state.deferred : state.queues.find((one) => one.name === name).depth);
    lanes.show(LANES.map((name) => [name, name, depth(name)]), lane);
    const its = state.queues.find((one) => one.name === lane);
    oldest.textContent = its && its.depth ? `oldest waits ${span(its.oldest_age_seconds)}` : "";
  }
  const showForm = () => swap(form, world.me.may_act ? card("Enqueue an agent by hand", null, enqueueForm()) : null);

  return {
    title: "Queue",
    node: [h("h1", { class: "sr-only" }, "Queue"), h("section", { class: "card" }, h("div", { class: "head" }, lanes.node, oldest), rows.node, pages.node), form],
    begin: load,
    onState: load,
    onKey() {
      rows.forget();
      showForm();
      load();
    },
    enter: showForm,
  };
}
