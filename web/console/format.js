// Numbers, spans and times for people.

import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en");

export const number = (n) => whole.format(Math.round(n || 0));

export const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

export function span(seconds) {
  const s = Math.max(0, seconds || 0);
  if (s < 9.95) return `${s < 0.05 ? 0 : s.toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.round(s / 86400)} d`;
}

/** Always to four places, so that columns align. */
export function money(usd) {
  const n = usd || 0;
  return n > 0 && n < 0.00005 ? "<0.0001" : n.toFixed(4);
}

const secondsSince = (stamp) => (Date.now() - Date.parse(stamp)) / 1000;

/** A span that goes on counting. `tail`: what stands behind it, e.g. " ago". */
export function since(stamp, tail = "") {
  if (!stamp || Number.isNaN(Date.parse(stamp))) return h("span", { class: "quiet" }, "–");
  return h("time", { datetime: stamp, title: new Date(stamp).toLocaleString(), "data-tail": tail }, span(secondsSince(stamp)) + tail);
}

/** The same, counted from a number of seconds ago. */
export const sinceSeconds = (seconds, tail = "") => since(new Date(Date.now() - seconds * 1000).toISOString(), tail);

/** A span that counts down. */
export function until(seconds) {
  const stamp = new Date(Date.now() + seconds * 1000).toISOString();
  return h("time", { datetime: stamp, title: new Date(stamp).toLocaleString(), "data-down": true }, span(seconds));
}

export function refreshTimes() {
  for (const node of document.querySelectorAll("time[datetime]")) {
    const passed = secondsSince(node.dateTime);
    const text = node.hasAttribute("data-down") ? span(-passed) : span(passed) + (node.dataset.tail || "");
    if (node.textContent !== text) node.textContent = text;
  }
}

export const clock = (stamp) => {
  const at = new Date(stamp);
  return Number.isNaN(at.getTime()) ? String(stamp || "") : at.toLocaleTimeString([], { hour12: false });
};
