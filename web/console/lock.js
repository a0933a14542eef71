// What the key opens, and entering it.

import { key, me } from "./api.js";
import { h } from "./dom.js";
import { toast, world } from "./parts.js";

function show() {
  const button = document.getElementById("unlock");
  const { may_act: may, admin_key_set: set } = world.me;
  button.textContent = may ? "Lock" : "Unlock";
  button.title = may ? "Forget the key (u)" : set ? "Read-only: enter the admin key to act (u)" : "This coordinator has no ADMIN_KEY: read-only";
}

/** Asks what the key opens; a key that opens nothing is not kept. Throws ApiError. */
async function take(secret) {
  world.me = await me(secret);
  key.save(world.me.may_act ? secret : "");
  show();
}

/** With the key of this tab, if it has one. */
export async function begin() {
  try {
    await take(key.read());
  } catch (error) {
    key.save("");
    if (error.status === 401) toast(error.message, true);
    await take("").catch(() => {});
  }
}

export function unlock() {
  if (document.querySelector("dialog[open]")) return;
  const set = world.me.admin_key_set;
  const field = h("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
  const said = h("p", { class: "bad-text", role: "alert" });
  const close = () => dialog.remove();
  const enter = async (event) => {
    event.preventDefault();
    try {
      await take(field.value.trim());
    } catch (error) {
      said.textContent = error.message;
      return;
    }
    close();
    toast("Unlocked: you may act.");
    world.keyChanged();
  };
  const dialog = h("dialog", { onclose: close, "aria-labelledby": "unlock-title" },
    h("form", { onsubmit: enter }, h("h2", { id: "unlock-title" }, "Unlock"),
      h("p", { class: "quiet" }, set ? "The coordinator's ADMIN_KEY lets you act and read transcripts. It stays in this tab and is forgotten when you close it." : "This coordinator has no ADMIN_KEY, so no key opens it: set ADMIN_KEY and restart it."),
      h("label", { class: "sr-only", for: "key" }, "Admin key"), field, said,
      h("div", { class: "row" }, h("button", { type: "button", onclick: close }, "Look only"), h("button", { type: "submit", class: "primary" }, "Unlock"))));
  document.body.append(dialog);
  dialog.showModal();
  field.focus();
}

export async function toggleLock() {
  if (!world.me.may_act) return unlock();
  key.save("");
  await take("").catch(() => {});
  toast("Locked: the key is forgotten.");
  world.keyChanged();
}
