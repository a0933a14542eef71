// Everything that agents, runners and the Hub say becomes a text node: markup in it is shown, never
// run.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** h("a", {href, class}, ...children): attributes with false or null are left out. */
export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** The address of a view: every part escaped. */
export const way = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

/** Puts `nodes` where others stood, and leaves the keyboard where it was. */
export function swap(host, ...nodes) {
  const focused = host.contains(document.activeElement) ? document.activeElement.getAttribute("data-focus") : null;
  host.replaceChildren(...nodes.flat(3).filter(Boolean));
  if (focused) refocus(host, focused);
}

function refocus(host, name) {
  for (const node of host.querySelectorAll("[data-focus]")) {
    if (node.getAttribute("data-focus") === name) return node.focus({ preventScroll: true });
  }
}

/**
 * Brings the rows of a table up to date: those that did not change stay the nodes they are, so that
 * a selection, the keyboard and the eye keep their place.
 */
export function keepRows(body, rows, keyOf, build) {
  const old = new Map();
  for (const node of body.children) old.set(node.dataset.key, node);
  const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("data-focus") : null;
  const next = rows.map((row) => {
    const key = keyOf(row);
    const mark = JSON.stringify(row);
    const kept = old.get(key);
    if (kept && kept.dataset.mark === mark) return kept;
    const node = build(row);
    node.dataset.key = key;
    node.dataset.mark = mark;
    return node;
  });
  const same = next.length === body.children.length && next.every((node, i) => node === body.children[i]);
  if (same) return;
  body.replaceChildren(...next);
  if (focused) refocus(body, focused);
}
