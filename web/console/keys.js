// The keyboard.

import { h } from "./dom.js";

const HELP = [[["1", "–", "6"], "views, in the order of the tabs"], [["/"], "find an agent in a list"], [["j", "k"], "next and previous row"], [["Enter"], "open it"], [["u"], "unlock, lock"], [["t"], "light, dark, as the system says"], [["?"], "this"]];

export function help() {
  if (document.querySelector("dialog[open]")) return;
  const close = () => dialog.remove();
  const names = (all) => all.map((name) => (name === "–" ? " – " : [h("kbd", {}, name), " "]));
  const dialog = h("dialog", { onclose: close, "aria-label": "Keys" }, h("div", { class: "stack" }, h("h2", {}, "Keys"),
    h("dl", { class: "keys" }, HELP.map(([keys, what]) => [h("dt", {}, names(keys)), h("dd", {}, what)])),
    h("div", { class: "row" }, h("button", { type: "button", autofocus: true, onclick: close }, "Close"))));
  document.body.append(dialog);
  dialog.showModal();
}

function moveRow(main, by) {
  const links = [...main.querySelectorAll("tbody td.main a")];
  if (!links.length) return;
  const here = links.indexOf(document.activeElement);
  const next = here < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, Math.min(links.length - 1, here + by));
  links[next].focus();
}

/** `ways`: the addresses of the digits. */
export function listen(ways, main) {
  const click = (id) => document.getElementById(id).click();
  const does = {
    "/": () => main.querySelector("[data-search]")?.focus(),
    j: () => moveRow(main, 1),
    k: () => moveRow(main, -1),
    u: () => click("unlock"),
    t: () => click("theme"),
    "?": help,
  };
  ways.forEach((way, i) => {
    does[i + 1] = () => {
      location.hash = way;
    };
  });
  document.getElementById("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog")) {
      if (event.key === "Escape" && event.target.matches("main input")) event.target.blur();
      return;
    }
    if (!Object.hasOwn(does, event.key)) return;
    event.preventDefault();
    does[event.key]();
  });
}
