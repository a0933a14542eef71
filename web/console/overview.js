// The first look: is all well, and if not, what helps.

import { get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { money, number, plural, since, sinceSeconds, span } from "./format.js";
import { actButton, badge, bar, card, chips, table, trouble, world } from "./parts.js";
import { COUNTS, plot, SECONDS } from "./plot.js";

const LATE = 900; // seconds: the alert OldestWorkWaiting
const HUB_LATE = 300; // seconds; lists are asked for every POLL_INTERVAL
const OUTBOX_LATE = 50;

/** What is wrong, worst first: {bad, what, cure, to}. Rules only. */
export function problems(state) {
  const found = [];
  const say = (bad, what, cure, to) => found.push({ bad, what, cure, to });
  if (!state.redis.ok) say(true, "Redis does not answer.", `${state.redis.reason}. What stands below is as it was; it heals by itself once Redis is back.`);
  if (state.queues === undefined) return found;
  const waiting = state.queues.reduce((sum, lane) => sum + lane.depth, 0);
  const oldest = Math.max(...state.queues.map((lane) => lane.oldest_age_seconds));
  const asked = state.hub ? (Date.parse(state.at) - Date.parse(state.hub.polled_at)) / 1000 : 0;
  if (state.hub && !state.hub.ok) say(true, "The Hub does not answer.", `${state.hub.reason}. Nothing new is found and nothing can be written until it does; it heals by itself.`);
  else if (asked > HUB_LATE) say(true, `The Hub was last heard of ${span(asked)} ago.`, "The leader asks it every half minute: see its log.");
  if (!state.leader) say(true, "No coordinator leads.", "Nothing new is found. Start one: botburrow coordinator.");
  if (!state.generation) say(true, "Nothing may be claimed yet.", "work:generation is missing: the leader sets it once it has compared Redis with the Hub.");
  if (state.runners_total === 0) say(true, "No runner is alive.", "Nobody has been heard of for a minute. Start one: botburrow runner.");
  if (state.fleet_paused) say(false, "The whole fleet is paused.", "What runs ends, nothing new begins.", "#/agents");
  if (oldest > LATE) say(true, `Work has waited for ${span(oldest)}.`, waiting > state.capacity ? "There is more of it than the runners can hold: add runners." : "See whether a runner takes this kind of work.", "#/queue");
  if (state.outbox > OUTBOX_LATE) say(false, `${plural(state.outbox, "report")} to be sent.`, "The Hub takes them more slowly than they come.");
  if (state.dead > 0) say(false, plural(state.dead, "dead letter") + ".", "Work that was given up: look, then retry or clear it.", "#/dead");
  if (state.held_off > 0) say(false, `${plural(state.held_off, "agent")} held off.`, "After failures in a row, a stop, or a limit.", "#/agents?state=held_off");
  return found;
}

export function verdict(state, found) {
  const worst = found.find((one) => one.bad);
  if (worst) return ["bad", worst.what];
  const calm = `${state.leader} leads, ${plural(state.runners_total, "runner")} alive, ${plural(state.running_total, "activation")} running.`;
  return found.length ? ["warn", `Working, with something to look at. ${calm}`] : ["good", `All is well. ${calm}`];
}

function tile(label, value, more, to, look = "") {
  return h(to ? "a" : "div", { class: `tile ${look}`, href: to, "data-focus": to ? "tile " + label : null },
    h("div", { class: "label" }, label), h("div", { class: "value" }, value), h("div", { class: "more" }, more || "\u00a0"));
}

function tiles(state) {
  const depth = (name) => number(state.queues.find((one) => one.name === name).depth);
  const oldest = Math.max(...state.queues.map((one) => one.oldest_age_seconds));
  const waiting = state.queues.reduce((sum, one) => sum + one.depth, 0);
  return [
    tile("Waiting", number(waiting), `high ${depth("high")} · normal ${depth("normal")} · low ${depth("low")}`, "#/queue"),
    tile("Oldest waits", span(oldest), state.deferred ? `${number(state.deferred)} deferred` : "none deferred", "#/queue", oldest > LATE ? "bad" : ""),
    tile("Running", [number(state.running_total), h("small", {}, ` of ${number(state.capacity)}`)], `${plural(state.runners_total, "runner")} alive`, "#/activations", state.runners_total ? "" : "bad"),
    tile("Held off", number(state.held_off), state.failing ? `${plural(state.failing, "agent")} with failures` : "no failures counted", "#/agents?state=held_off", state.held_off ? "warn" : ""),
    tile("Dead letters", number(state.dead), state.outbox ? `${number(state.outbox)} reports to be sent` : "all reports sent", "#/dead", state.dead ? "warn" : ""),
    tile("Done", number(state.done_total), `of ${number(state.enqueued_total)} queued`, "#/activations"),
  ];
}

export const stopButton = (id, name) =>
  actButton("Stop", "stop", { activation_id: id }, {
    danger: true,
    ask: [`Stop ${name}?`, "Its runner ends it within 5 s. No failure is counted, what was not read stays unread, and the agent is held off for a minute.", "Stop it"],
  });

export const runningColumns = [
  { label: "Agent", class: "main", cell: (row) => h("a", { href: way("agent", row.agent_id), "data-focus": "run " + row.activation_id }, row.agent_name) },
  { label: "Does", class: "text", cell: (row) => h("a", { href: way("activation", row.activation_id), title: "Transcript" }, row.doing === undefined ? "unlock to see" : row.doing || "has begun") },
  { label: "Step", class: "num", cell: (row) => number(row.steps) },
  { label: "Cost, $", class: "num", cell: (row) => money(row.cost_usd) },
  { label: "For", class: "num", cell: (row) => since(row.started_at) },
  { label: "Runner", cell: (row) => h("span", { class: "clip", title: row.runner_id }, row.runner_id) },
  { label: "", class: "acts", cell: (row) => stopButton(row.activation_id, row.agent_name) },
];

const TAKES = { notification: "inbox", exploration: "discovery", hybrid: "both" };

const runnerColumns = [
  { label: "Runner", class: "main", cell: (row) => h("span", { class: "clip", title: row.runner_id }, row.runner_id) },
  { label: "State", cell: (row) => badge(row.status) },
  { label: "Takes", cell: (row) => TAKES[row.mode] || "?" },
  { label: "Busy", class: "num", cell: (row) => h("span", {}, bar(row.active, row.capacity), `${number(row.active)}/${number(row.capacity)}`) },
  { label: "Heard", class: "num", cell: (row) => sinceSeconds(row.heard_seconds_ago) },
];

const RANGES = [["15", "15 min"], ["60", "1 h"], ["180", "3 h"]];
const LANES = ["high", "normal", "low"];
const PLOTS_MS = 10000;

export function overview() {
  let minutes = "60";
  let asked = 0;
  const said = h("p", { class: "verdict" });
  const notes = h("ul", { class: "notes" });
  const numbers = h("div", { class: "tiles" });
  const depth = plot("Waiting", (value) => number(value), COUNTS);
  const oldest = plot("Oldest waits", (value) => span(value), SECONDS);
  const ranges = chips("Time shown", (value) => {
    minutes = value;
    drawPlots();
  });
  const running = table(runningColumns, (row) => row.activation_id || row.agent_id, "Nothing runs now.");
  const runners = table(runnerColumns, (row) => row.runner_id, "No runner has been heard of for a minute.");
  const more = h("span", { class: "push quiet" });
  const node = [h("h1", { class: "sr-only" }, "Overview"), said, notes, numbers,
    h("div", { class: "row section" }, h("h2", {}, "Over time"), h("span", { class: "push" }, ranges.node)),
    h("div", { class: "two" }, depth.node, oldest.node),
    h("div", { class: "two wide-left" }, card("Running", more, running.node), card("Runners", null, runners.node))];

  async function drawPlots() {
    ranges.show(RANGES, minutes);
    asked = Date.now();
    try {
      const data = await get("/history", { minutes });
      const to = Date.now() / 1000;
      const from = to - data.minutes * 60;
      const series = (prefix) => LANES.map((name) => ({ name, label: name, values: data[prefix + name] }));
      depth.draw({ at: data.at, series: series("") }, from, to);
      oldest.draw({ at: data.at, series: series("oldest_") }, from, to);
    } catch (error) {
      if (error.status !== 0) trouble(error);
    }
  }

  return {
    title: "Overview",
    node,
    onState(state) {
      const found = problems(state);
      if (state.queues === undefined) {
        swap(said, h("span", { class: "dot bad" }), h("span", {}, "Redis does not answer, and has not since this coordinator began."));
        swap(notes, h("li", { class: "bad" }, h("span", {}, state.redis.reason)));
        return;
      }
      const [look, words] = verdict(state, found);
      swap(said, h("span", { class: "dot " + look, "aria-hidden": "true" }), h("span", {}, words));
      swap(notes, found.map((one) => h("li", { class: one.bad ? "bad" : null },
        h("b", { class: one.bad ? "bad-word" : "warn-word" }, one.what), h("span", {}, one.cure), one.to ? h("a", { href: one.to, "data-focus": "note " + one.to }, "Look") : null)));
      swap(numbers, tiles(state));
      running.show(state.running);
      more.replaceChildren(state.running_total > state.running.length ? h("a", { href: "#/activations" }, `all ${number(state.running_total)}`) : "");
      // Heartbeats come every ten seconds: a row that only grew older stays as it is.
      runners.show(state.runners.map((row) => ({ ...row, heard_seconds_ago: Math.round(row.heard_seconds_ago / 10) * 10 })));
      if (Date.now() - asked > PLOTS_MS) drawPlots();
    },
    onKey() {
      running.forget();
      if (world.state) this.onState(world.state);
    },
    begin: drawPlots,
  };
}
