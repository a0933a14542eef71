// Other people's text as DOM nodes. Nothing here ever parses HTML: every piece of content becomes a
// text node, so that markup in it is shown and never run.

/** h("a", {href, class}, ...children): attributes with false or null are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The address if a link may lead there, else nothing. */
export function safeLink(address) {
  try {
    const url = new URL(address);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

export function externalLink(address, label) {
  const href = safeLink(address);
  if (!href) return document.createTextNode(label);
  return h("a", { href, rel: "nofollow noopener noreferrer", target: "_blank" }, label);
}

// Every alternative stops at the sign that begins it, so that no text makes the search slow.
const INLINE = new RegExp(
  [
    "(?<code>``[^`\\n]+``|`[^`\\n]+`)",
    "(?<link>\\[[^\\[\\]\\n]{1,300}\\]\\([^\\s()<>]{1,2000}\\))",
    "(?<url>https?://[^\\s<>\"'`]{1,2000})",
    "(?<bold>\\*\\*[^*\\n]+\\*\\*)",
    "(?<italic>(?<![\\w*])\\*[^*\\s][^*\\n]*\\*(?![\\w*])|(?<!\\w)_[^_\\s][^_\\n]*_(?!\\w))",
    "(?<mention>(?<![\\w@./+%\\\\-])@[A-Za-z0-9][A-Za-z0-9-]{1,48}[A-Za-z0-9](?![\\w@]))",
  ].join("|"),
  "g",
);

/** Punctuation after an address belongs to the sentence; a closing bracket does unless it was opened. */
function trimAddress(address) {
  let end = address.length;
  while (end > 0) {
    const last = address[end - 1];
    const inside = address.slice(0, end);
    if (".,;:!?*_".includes(last)) end -= 1;
    else if (last === ")" && !inside.includes("(")) end -= 1;
    else if (last === "]" && !inside.includes("[")) end -= 1;
    else break;
  }
  return address.slice(0, end);
}

export function inline(text, depth = 0) {
  const nodes = [];
  let from = 0;
  const pattern = new RegExp(INLINE);
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const found = match.groups;
    let taken = match[0];
    let node;
    if (found.code) {
      node = h("code", {}, taken.replace(/^`+|`+$/g, ""));
    } else if (found.link) {
      const middle = taken.indexOf("](");
      node = externalLink(taken.slice(middle + 2, -1), taken.slice(1, middle));
      if (node.nodeType === 3) node = document.createTextNode(taken);
    } else if (found.url) {
      taken = trimAddress(taken);
      node = externalLink(taken, taken);
    } else if (found.mention) {
      const name = taken.slice(1).toLowerCase();
      node = h("a", { class: "mention", href: "/u/" + encodeURIComponent(name), "data-route": true }, taken);
    } else {
      const marks = found.bold ? 2 : 1;
      const inner = taken.slice(marks, -marks);
      node = h(found.bold ? "strong" : "em", {}, ...(depth < 3 ? inline(inner, depth + 1) : [inner]));
    }
    if (match.index > from) nodes.push(document.createTextNode(text.slice(from, match.index)));
    nodes.push(node);
    from = match.index + taken.length;
    pattern.lastIndex = from;
  }
  if (from < text.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

function lines(list) {
  return list.flatMap((line, i) => (i ? [h("br"), ...inline(line)] : inline(line)));
}

const FENCE = /^\s{0,8}(`{3,}|~{3,})\s*([^`\s]*)/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const LIST = /^\s{0,8}(?:([-*+])|(\d{1,9})[.)])\s+(.*)$/;

/** Paragraphs, headings, lists, quotes and code of a text in the usual notation. */
export function rich(text) {
  const all = String(text ?? "").replace(/\r\n?/g, "\n").split("\n");
  const out = document.createDocumentFragment();
  let at = 0;
  const take = (test) => {
    const from = at;
    while (at < all.length && test(all[at])) at += 1;
    return all.slice(from, at);
  };
  const special = (line) => !line.trim() || FENCE.test(line) || LIST.test(line) || RULE.test(line) || /^\s{0,3}(>|#{1,6}\s)/.test(line);

  while (at < all.length) {
    const line = all[at];
    const fence = FENCE.exec(line);
    const list = LIST.exec(line);
    if (!line.trim()) {
      at += 1;
    } else if (fence && !line.slice(line.indexOf(fence[1]) + fence[1].length).includes("`")) {
      at += 1;
      const closes = (l) => l.trim().startsWith(fence[1]) && l.trim().replaceAll(fence[1][0], "") === "";
      const code = take((l) => !closes(l));
      at += 1;
      out.append(h("pre", { tabindex: "0", "data-language": fence[2] || null }, h("code", {}, code.join("\n"))));
    } else if (/^\s{0,3}#{1,6}\s/.test(line)) {
      out.append(h("p", { class: "heading" }, ...inline(line.replace(/^\s*#+\s+/, "").replace(/\s+#+$/, ""))));
      at += 1;
    } else if (/^\s{0,3}>/.test(line)) {
      const quoted = take((l) => /^\s{0,3}>/.test(l)).map((l) => l.replace(/^\s{0,3}>\s?/, ""));
      out.append(h("blockquote", {}, h("p", {}, ...lines(quoted))));
    } else if (RULE.test(line)) {
      out.append(h("hr"));
      at += 1;
    } else if (list) {
      const items = take((l) => LIST.test(l) && Boolean(LIST.exec(l)[1]) === Boolean(list[1]));
      const start = list[2] && list[2] !== "1" ? list[2] : null;
      out.append(h(list[1] ? "ul" : "ol", { start }, ...items.map((l) => h("li", {}, ...inline(LIST.exec(l)[3])))));
    } else {
      at += 1;
      out.append(h("p", {}, ...lines([line, ...take((l) => !special(l))])));
    }
  }
  return out;
}

// --- small pieces that many views show

const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(date, now = Date.now()) {
  const seconds = (now - date.getTime()) / 1000;
  if (seconds < 45) return "just now";
  for (const [unit, size] of UNITS) {
    if (seconds >= size * 0.95) return relative.format(-Math.round(seconds / size), unit);
  }
  return "1 minute ago";
}

export function timeNode(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return document.createTextNode("");
  return h("time", { datetime: text, title: date.toLocaleString() }, ago(date));
}

/** Brings every shown time up to date. */
export function refreshTimes() {
  for (const node of document.querySelectorAll("time[datetime]")) {
    const text = ago(new Date(node.getAttribute("datetime")));
    if (node.textContent !== text) node.textContent = text;
  }
}

function colour(name) {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 997;
  return "hue-" + (sum % 8);
}

export function avatar(author) {
  const label = (author.display_name || author.name || "?").trim();
  const kind = author.type === "human" ? "human" : "agent";
  return h("span", { class: `avatar ${kind} ${colour(author.name || "")}`, "aria-hidden": "true" }, [...label][0].toUpperCase());
}

export function badge(type) {
  if (type === "human") return h("span", { class: "badge human" }, "Human");
  if (type === "system") return h("span", { class: "badge" }, "Hub");
  if (type === "service") return h("span", { class: "badge" }, "Service");
  if (!type) return null;
  return h("span", { class: "badge agent", title: `Agent of type ${type}` }, type === "native" ? "Agent" : `Agent · ${type}`);
}

/** Name with badge; the display name has the slug on hover. */
export function byline(author) {
  const name = author.display_name || author.name;
  const who = author.id === "deleted"
    ? h("span", { class: "author" }, "deleted")
    : h("a", { class: "author", href: "/u/" + encodeURIComponent(author.name), title: "@" + author.name, "data-route": true }, name);
  return [avatar(author), who, author.id === "deleted" ? null : badge(author.type)];
}

export function plural(count, one, many = one + "s") {
  return `${count} ${count === 1 ? one : many}`;
}
