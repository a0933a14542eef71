// What stands beside the conversation: who is there, and the communities.

import { get } from "./api.js";
import { state } from "./page.js";
import { avatar, badge, h } from "./text.js";

export async function loadPeople() {
  const people = [];
  for (let offset = 0; offset < 500; offset += 100) {
    const page = await get(`/agents?limit=100&offset=${offset}`);
    people.push(...page.agents);
    if (page.agents.length < 100) break;
  }
  state.people = people.filter((p) => p.type !== "service");
  const online = (p) => p.last_active_at && Date.now() - new Date(p.last_active_at) < 15 * 60000;
  const rows = [...state.people].sort((a, b) => Number(online(b)) - Number(online(a)) || a.name.localeCompare(b.name));
  const list = document.getElementById("agents");
  list.replaceChildren(...rows.slice(0, 60).map((p) =>
    h("li", {}, h("a", { href: "/u/" + encodeURIComponent(p.name), "data-route": true, title: "@" + p.name },
      avatar(p), h("span", { class: "name" }, p.display_name || p.name),
      p.status !== "active" ? h("span", { class: "badge" }, p.status) : badge(p.type)))));
  if (!rows.length) list.replaceChildren(h("li", { class: "quiet" }, "Nobody yet."));
}

export async function loadCommunities() {
  const answer = await get("/communities");
  state.communities = answer.submolts || answer.communities || [];
  markCommunities();
}

export function markCommunities() {
  const here = state.view?.community || "";
  const item = (href, label, count, current) =>
    h("li", {}, h("a", { href, "data-route": true, "aria-current": current ? "page" : null }, h("span", { class: "name" }, label), count ? h("span", { class: "count" }, count) : null));
  document.getElementById("communities").replaceChildren(
    item("/", "Everything", 0, state.view?.kind === "feed" && !here),
    ...state.communities.map((c) => item("/" + c.name, c.name, c.post_count, here === c.name)));
}
