// Pieces that several views are made of.

import { act, ApiError } from "./api.js";
import { h, keepRows, s } from "./dom.js";
import { number } from "./format.js";

/** What all views know: the newest state, and what the key opens. */
export const world = { state: null, me: { may_act: false, may_read_transcripts: false, admin_key_set: false }, reload: () => {}, keyChanged: () => {}, unlock: () => {} };

const LOOK = {
  running: "info", busy: "info", waiting: "warn", held_off: "bad", paused: "warn", idle: "", draining: "warn",
  success: "good", failure: "bad", timeout: "bad", skipped: "", cancelled: "warn", over_budget: "warn",
};
const WORD = { held_off: "held off", over_budget: "over budget" };

/** A state, by word and colour. */
export const badge = (state, word = WORD[state] || state) => h("span", { class: `badge ${LOOK[state] || ""}` }, word || "unknown");

export function bar(part, of, warnAt = 1) {
  const share = of > 0 ? Math.min(1, part / of) : 0;
  const look = of > 0 && part > of ? "over" : share >= warnAt ? "full" : "";
  return s("svg", { class: "bar", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "track", width: 100, height: 12, rx: 4 }),
    share > 0 ? s("rect", { class: `fill ${look}`, width: Math.max(4, share * 100), height: 12, rx: 4 }) : null);
}

let toastTimer = 0;

export function toast(text, bad = false) {
  const node = document.getElementById("toast");
  node.textContent = text;
  node.className = bad ? "toast bad" : "toast";
  node.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    node.hidden = true;
  }, bad ? 9000 : 5000);
}

/** Shows an error where it belongs: a wrong key asks for another one. */
export function trouble(error) {
  if (error.name === "AbortError") return;
  if (!(error instanceof ApiError)) throw error;
  toast(error.message, true);
  if (error.code === "key_refused" || error.code === "key_missing") world.unlock();
}

/** Asks before what cannot be taken back. Resolves to true or false. */
export function confirmed(question, what, word) {
  return new Promise((resolve) => {
    const answer = (yes) => {
      dialog.remove();
      resolve(yes);
    };
    const dialog = h("dialog", { onclose: () => answer(false), "aria-label": question },
      h("div", { class: "stack" }, h("h2", {}, question), what ? h("p", { class: "quiet" }, what) : null,
        h("div", { class: "row" },
          h("button", { type: "button", onclick: () => answer(false) }, "Leave it"),
          h("button", { type: "button", class: "primary", autofocus: true, onclick: () => answer(true) }, word))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Does it, says how it went, and shows the view anew. */
export async function perform(name, body) {
  try {
    const done = await act(name, body);
    toast(done.sentence, !done.changed);
  } catch (error) {
    trouble(error);
  }
  world.reload();
}

/** A button that acts; nothing without the key. `ask`: [question, explanation, word]. */
export function actButton(label, name, body, { ask, danger, focus } = {}) {
  if (!world.me.may_act) return null;
  return h("button", {
    type: "button", class: danger ? "danger" : null, "data-focus": focus || `${name} ${JSON.stringify(body)}`,
    onclick: async (event) => {
      const button = event.currentTarget;
      if (ask && !(await confirmed(...ask))) return;
      button.disabled = true;
      await perform(name, body);
      button.disabled = false;
    },
  }, label);
}

/**
 * A table. `columns`: [{label, class, cell(row)}]; on a phone every cell carries its label.
 * `show(rows)` brings it up to date.
 */
export function table(columns, keyOf, empty) {
  const body = h("tbody");
  const none = h("p", { class: "empty" }, empty);
  const whole = h("div", { class: "scroll" },
    h("table", { class: "stack-rows" }, h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: /num|acts/.test(column.class || "") ? "num" : null }, column.label)))), body));
  const build = (row) => h("tr", {}, columns.map((column) => {
    const content = [column.cell(row)].flat().filter((one) => one !== null && one !== undefined && one !== false && one !== "");
    return h("td", { class: column.class, "data-label": column.label, "data-none": content.length === 0 }, content);
  }));
  return {
    node: h("div", {}, none, whole),
    show(rows) {
      none.hidden = rows.length > 0;
      whole.hidden = rows.length === 0;
      keepRows(body, rows, keyOf, build);
    },
    /** What is not in the rows changed too, e.g. what the key opens. */
    forget() {
      body.replaceChildren();
    },
  };
}

/** Newer, older, and where we are. `turn(offset)` shows another page. */
export function pager(turn, words = ["Back", "On"]) {
  const text = h("span", { class: "push" });
  const back = h("button", { type: "button", "data-focus": "page back" }, "‹ " + words[0]);
  const on = h("button", { type: "button", "data-focus": "page on" }, words[1] + " ›");
  const node = h("div", { class: "pager" }, back, on, text);
  return {
    node,
    show(offset, count, total, limit, next = offset + count < total ? offset + limit : null) {
      node.hidden = offset === 0 && next === null;
      back.disabled = offset === 0;
      on.disabled = next === null;
      back.onclick = () => turn(Math.max(0, offset - limit), "back");
      on.onclick = () => turn(next, "on");
      text.textContent = total > 0 ? `${number(offset + 1)}–${number(offset + count)} of ${number(total)}` : "";
    },
  };
}

export const card = (title, head, ...children) => h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, title), head), ...children);

/** A choice of a few, as buttons. `pick(value)` is called with the one that was chosen. */
export function chips(label, pick) {
  const node = h("div", { class: "chips", role: "group", "aria-label": label });
  return {
    node,
    /** choices: [[value, label, count?]] */
    show(choices, chosen) {
      keepRows(node, choices.map(([value, text, count]) => ({ value, text, count, on: value === chosen })), (one) => "chip " + one.value,
        (one) => h("button", { type: "button", class: "chip", "aria-pressed": String(one.on), "data-focus": "chip " + one.value, onclick: () => pick(one.value) },
          one.text, one.count === undefined ? null : h("span", { class: "count" }, number(one.count))));
    },
  };
}

/** Calls `done` when nothing was typed for a moment. */
export function settled(done) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(done, 250);
  };
}
