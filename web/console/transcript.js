// One activation: what it was shown, said and did, by its journal.

import { ApiError, get } from "./api.js";
import { h, swap, way } from "./dom.js";
import { clock, money, number, plural } from "./format.js";
import { stopButton } from "./overview.js";
import { badge, card, trouble, world } from "./parts.js";

const LIMIT = 100;
const CUT = / \[… \d+ bytes more\]$/;

const text = (value) => (typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value, null, 2));
const joined = (...words) => words.filter(Boolean).join(": ");

function said(role, words) {
  if (!words) return null;
  const pre = h("pre", { tabindex: "0" }, words);
  if (role === "system") return h("div", { class: "said bare" }, h("details", {}, h("summary", {}, `system prompt, ${plural(words.length, "character")}`), pre));
  return role ? h("div", { class: "said" }, h("span", { class: "role" }, role), pre) : h("div", { class: "said bare" }, pre);
}

const message = (one) => [said(one.role || "", text(one.text)), (one.tool_results || []).map((result) => said("result", `${result.tool_name || ""}: ${text(result.content)}`))];

/** A line by its kind: a word, a sentence, and what belongs below. */
const KINDS = {
  started: (line) => ["claimed", `${line.agent_name || ""} · ${line.task_type || ""} work on ${line.runner_id || ""}, attempt ${number(line.attempt)}, fence ${line.fence || ""}`],
  notification(line) {
    const what = line.notification;
    if (!what) return ["settled", joined(line.outcome, line.reason)];
    return ["notification", `${what.type || ""} by ${(what.from && what.from.name) || "?"} on post ${what.post_id || ""}`, said("", text(what.content))];
  },
  model_call: (line) => ["asks", (line.messages || []).length ? "The model is asked." : "The model is asked once more, the same.", (line.messages || []).map(message)],
  model_answer(line) {
    const answer = line.answer || {};
    const usage = answer.usage || {};
    const facts = [`${answer.provider || ""} ${answer.model || ""}`, `${number(usage.input)} tokens in, ${number(usage.output)} out`, `$${money(line.cost_usd)}`, answer.stop];
    return ["answers", facts.filter(Boolean).join(" · "), said("assistant", text(answer.text)), (answer.tool_calls || []).map((call) => said("calls", `${call.name || ""} ${text(call.arguments)}`))];
  },
  effect: (line) => ["writes", `${line.slot || ""}: POST ${line.path || ""}`, said("", text(line.body && line.body.content))],
  effect_done(line) {
    const slot = line.slot || "";
    if (line.refused) return ["refused", `${slot}: ${joined(line.refused, line.reason)}`];
    return line.not_sent ? ["not sent", `${slot}: the Hub could not be reached`] : ["written", `${slot}: id ${line.id || ""}`];
  },
  ended: (line) => ["ended", joined(line.outcome, line.reason)],
};
const LOOKS = { answers: "info", written: "good", refused: "bad", "not sent": "warn" };

function lineNode(line, whole) {
  const [word, what, ...below] = (KINDS[line.kind] || (() => [line.kind, ""]))(line);
  const content = h("div", { class: "what" }, what, below);
  if ([...content.querySelectorAll("pre")].some((pre) => CUT.test(pre.textContent)))
    content.append(h("button", { type: "button", class: "whole", "data-focus": "whole " + line.n, onclick: () => whole(line) }, "Show all of it"));
  return h("li", {}, h("time", { class: "quiet", title: line.at }, clock(line.at)), h("span", {}, h("span", { class: `badge plain ${LOOKS[word] || ""}` }, word)), content);
}

/** Sums and names of what was read so far. */
function summary(lines) {
  const of = (kind) => lines.filter((line) => line.kind === kind);
  const started = of("started").at(-1) || {};
  return {
    agent: started.agent_name || "", agentId: started.agent_id || started.agent_name || "", runner: started.runner_id,
    steps: of("model_call").length, cost: of("model_answer").reduce((sum, line) => sum + (line.cost_usd || 0), 0),
    ended: of("ended").at(-1), claims: of("started").length,
  };
}

export function transcript(id) {
  let lines = [];
  let total = 0;
  let loading = false;
  const path = "/transcripts/" + encodeURIComponent(id);
  const head = h("section", { class: "card pad stack" });
  const list = h("ol", { class: "lines" });
  const more = h("div", { class: "pager" });
  const crumbs = () => h("p", { class: "crumbs" }, h("a", { href: "#/activations" }, "Activations"), " / ", h("span", { class: "mono" }, id));
  const runs = () => (world.state?.running || []).some((one) => one.activation_id === id);

  async function whole(line) {
    try {
      const full = await get(path, { line: line.n });
      const place = lines.findIndex((one) => one.n === line.n);
      lines[place] = full;
      list.children[place].replaceWith(lineNode(full, whole));
    } catch (error) {
      trouble(error);
    }
  }
  function showHead() {
    const sum = summary(lines);
    const facts = [plural(sum.steps, "model call"), `$${money(sum.cost)}`, plural(total, "line"), sum.claims > 1 ? `${sum.claims} claims of the same work` : "", sum.runner];
    swap(head, crumbs(),
      h("div", { class: "row" }, h("h1", {}, sum.agent ? h("a", { href: way("agent", sum.agentId) }, sum.agent) : "Transcript"),
        runs() ? badge("running") : sum.ended ? badge(sum.ended.outcome) : null,
        runs() ? h("span", { class: "push" }, stopButton(id, sum.agent)) : null),
      h("p", { class: "quiet" }, facts.filter(Boolean).join(" · ")));
  }
  function showMore() {
    more.hidden = lines.length >= total;
    swap(more, h("button", { type: "button", "data-focus": "more", onclick: load }, `Show ${number(Math.min(LIMIT, total - lines.length))} more`), h("span", { class: "push" }, `${number(lines.length)} of ${number(total)}`));
  }
  function refuse(error) {
    if (!(error instanceof ApiError)) throw error;
    swap(head, crumbs(), h("h1", {}, error.code === "not_found" ? "There is no transcript" : "This transcript cannot be shown"), h("p", {}, error.message),
      error.status === 401 ? h("div", {}, h("button", { type: "button", class: "primary", onclick: () => world.unlock() }, "Unlock")) : null);
    more.hidden = true;
  }
  async function load() {
    if (loading) return;
    loading = true;
    try {
      const page = await get(path, { offset: lines.length, limit: LIMIT });
      total = page.total;
      lines = lines.concat(page.lines);
      list.append(...page.lines.map((line) => lineNode(line, whole)));
      showHead();
      showMore();
    } catch (error) {
      if (lines.length) trouble(error);
      else refuse(error);
    } finally {
      loading = false;
    }
  }

  return {
    title: "Transcript",
    node: [head, card("What it was shown, said and did", null, list, more)],
    begin: load,
    onState() {
      if (!lines.length) return;
      showHead();
      if (lines.length >= total && !lines.some((line) => line.kind === "ended" && line.activation_id === id)) load();
    },
    onKey() {
      if (lines.length) showHead();
      else load();
    },
  };
}
