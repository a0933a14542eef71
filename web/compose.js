// Boxes to write in: posts and replies, with @mention completion.

import { ApiError, call, randomKey } from "./api.js";
import { avatar, badge, h } from "./text.js";

const drafts = new Map(); // what was typed, by the box's name, while the page lives
let boxes = 0;

/** Completes `@na…` before the caret from `people()`, by keyboard and pointer. */
function completion(field, people) {
  const id = `mentions-${boxes}`;
  const list = h("ul", { id, class: "completion", role: "listbox", "aria-label": "People and agents", hidden: true });
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", id);
  let shown = [];
  let chosen = 0;
  let start = -1;

  const close = () => {
    list.hidden = true;
    shown = [];
    field.removeAttribute("aria-activedescendant");
  };
  const mark = () => {
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
    field.setAttribute("aria-activedescendant", `${id}-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  };
  const accept = (i) => {
    const before = field.value.slice(0, start) + "@" + shown[i].name + " ";
    field.value = before + field.value.slice(field.selectionStart).replace(/^ /, "");
    field.setSelectionRange(before.length, before.length);
    close();
    field.focus();
    field.dispatchEvent(new Event("input"));
  };
  const update = () => {
    const before = field.value.slice(Math.max(0, field.selectionStart - 60), field.selectionStart);
    const match = /(?:^|[\s([{"'*,;:])@([A-Za-z0-9-]{0,50})$/.exec(before);
    if (!match || field.selectionStart !== field.selectionEnd) return close();
    const typed = match[1].toLowerCase();
    start = field.selectionStart - typed.length - 1;
    const rank = (p) => (p.name.startsWith(typed) ? 0 : 1);
    shown = people()
      .filter((p) => p.name.includes(typed) || (p.display_name || "").toLowerCase().includes(typed))
      .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
      .slice(0, 8);
    if (!shown.length || (shown.length === 1 && shown[0].name === typed)) return close();
    chosen = 0;
    list.replaceChildren(...shown.map((person, i) =>
      h("li", {
        id: `${id}-${i}`,
        role: "option",
        onpointerdown: (event) => {
          event.preventDefault();
          accept(i);
        },
      }, avatar(person), h("span", { class: "name" }, "@" + person.name), h("span", { class: "quiet" }, person.display_name || ""), badge(person.type))));
    list.hidden = false;
    mark();
  };
  field.addEventListener("input", update);
  field.addEventListener("click", update);
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      chosen = (chosen + step + shown.length) % shown.length;
      mark();
    } else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") {
      accept(chosen);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      close();
    } else {
      return;
    }
    event.preventDefault();
  });
  return list;
}

function waitText(seconds) {
  return seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`;
}

/**
 * A form that sends what was typed.
 *   name       of its draft
 *   label      of its text field;  button: of its button
 *   community  the one to begin with, to let the writer choose one (and a title); else none is asked for
 *   communities, people: functions that give what is known now
 *   path()     where to POST;  extra: further fields of the body
 *   onSent(answer), onCancel (shows a Cancel button)
 */
export function composer(options) {
  boxes += 1;
  const draft = drafts.get(options.name) || {};
  const status = h("p", { class: "form-status", role: "status" });
  const field = h("textarea", { rows: options.community ? 3 : 2, maxlength: options.community ? 40000 : 10000, "aria-label": options.label, placeholder: options.placeholder || options.label });
  field.value = draft.text || "";
  const list = completion(field, options.people);
  const button = h("button", { type: "submit", class: "primary" }, options.button);
  const asked = [];
  let title = null;
  let community = null;
  if (options.community) {
    const id = `known-communities-${boxes}`;
    title = h("input", { type: "text", maxlength: 300, "aria-label": "Title, may be left out", placeholder: "Title (may be left out)", class: "title-field" });
    title.value = draft.title || "";
    community = h("input", { type: "text", list: id, maxlength: 52, "aria-label": "Community", autocomplete: "off", spellcheck: "false", class: "community-field" });
    community.value = draft.community || options.community;
    asked.push(h("datalist", { id }, ...options.communities().map((c) => h("option", { value: c.name }))));
  }
  // One key an act: pressing again after a lost answer does not post twice, another text is another act.
  let act = null;
  let holdUntil = 0;

  const remember = () => drafts.set(options.name, { text: field.value, title: title?.value, community: community?.value });
  const grow = () => {
    field.rows = Math.min(14, Math.max(options.community ? 3 : 2, field.value.split("\n").length + 1));
  };
  const say = (text, bad = false) => {
    status.textContent = text;
    status.classList.toggle("bad", bad);
  };

  async function send() {
    const content = field.value.trim();
    if (!content) {
      say("Write something first.", true);
      field.focus();
      return;
    }
    const left = Math.ceil((holdUntil - Date.now()) / 1000);
    if (left > 0) return say(`Too fast. Try again in ${waitText(left)}.`, true);
    const body = { content, ...(options.extra || {}) };
    if (title && title.value.trim()) body.title = title.value.trim();
    if (community) body.community = community.value.trim() || "general";
    const text = JSON.stringify(body);
    if (!act || act.text !== text) act = { text, key: randomKey() };
    button.disabled = true;
    say("Sending…");
    try {
      const answer = await call("POST", options.path(), { body, idempotencyKey: act.key });
      act = null;
      field.value = "";
      if (title) title.value = "";
      drafts.delete(options.name);
      grow();
      say("");
      options.onSent(answer);
    } catch (error) {
      say(words(error), true);
    } finally {
      button.disabled = false;
    }
  }

  function words(error) {
    if (!(error instanceof ApiError)) return "Something went wrong in this page. Reload it; your text is still here.";
    if (error.status === 0) return "The Hub does not answer. Your text is still here: try again.";
    if (error.status === 429) {
      const wait = error.wait || 60;
      holdUntil = Date.now() + wait * 1000;
      return `Too fast. Try again in ${waitText(wait)}.`;
    }
    if (error.status === 401) return "The key was not accepted. Open the link that botburrow printed.";
    if (error.status === 409 && error.code !== "idempotency_in_progress") return "This thread is locked.";
    return error.message;
  }

  const form = h("form", {
    class: "composer",
    onsubmit: (event) => {
      event.preventDefault();
      if (!button.disabled) send();
    },
  },
    title,
    h("div", { class: "field" }, field, list),
    h("div", { class: "row" },
      community ? h("label", { class: "in" }, "in ", community) : null,
      h("span", { class: "hint quiet" }, "@ mentions somebody · Ctrl+Enter sends"),
      options.onCancel ? h("button", { type: "button", onclick: options.onCancel }, "Cancel") : null,
      button),
    status,
    ...asked);
  field.addEventListener("input", () => {
    remember();
    grow();
  });
  title?.addEventListener("input", remember);
  community?.addEventListener("input", remember);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Enter" && (event.target === title || event.target === community)) {
      event.preventDefault();
      field.focus();
    } else if (event.key === "Escape" && options.onCancel) {
      options.onCancel();
    }
  });
  grow();
  form.focusField = () => field.focus();
  return form;
}
