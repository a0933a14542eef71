// The coordinator's API: the key, requests, acts, and the stream of states.

const KEY_NAME = "botburrow.console.key";
const BASE = "/console/api";

/** The admin key, for this tab only. It goes out in a header, never in an address or a cookie. */
export const key = {
  read: () => sessionStorage.getItem(KEY_NAME) || "",
  save(value) {
    if (value) sessionStorage.setItem(KEY_NAME, value);
    else sessionStorage.removeItem(KEY_NAME);
  },
  /** Takes `#key=…` out of the address and the history. True if there was one. */
  takeFromAddress() {
    const match = /^#key=(.+)$/.exec(location.hash);
    if (!match) return false;
    let value = match[1];
    try {
      value = decodeURIComponent(value);
    } catch {
      // Not escaped: as it is.
    }
    key.save(value.trim());
    history.replaceState(history.state, "", location.pathname + "#/");
    return true;
  },
};

/** What went wrong, in words for people. `status` 0: the coordinator did not answer. */
export class ApiError extends Error {
  constructor(status, message, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function call(path, options = {}, secret = key.read()) {
  const headers = { Accept: "application/json", ...options.headers };
  // A header holds plain ASCII only; anything else cannot be a key.
  if (secret) headers.Authorization = "Bearer " + (/^[\x21-\x7e]+$/.test(secret) ? secret : "unreadable");
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The coordinator does not answer.");
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy's page, perhaps.
  }
  if (response.ok && body) return body;
  throw new ApiError(response.status, (body && typeof body.detail === "string" && body.detail) || `The coordinator answered ${response.status}.`, (body && body.code) || "");
}

export function get(path, query = {}, signal = undefined) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined)).toString();
  return call(path + (text ? "?" + text : ""), { signal });
}

export const act = (name, body) =>
  call("/act/" + name, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** What a key opens; with no argument, the one of this tab. */
export const me = (secret) => call("/me", {}, secret === undefined ? key.read() : secret);

const ASK_MS = 4000;
const AGAIN_MS = 20000;

/**
 * Calls `onState(state)` with each new state: by the stream, or by asking every few seconds while
 * there is none. `onLive("live" | "asking" | "off")` tells which. A hidden page holds no stream.
 */
export function watch(onState, onLive) {
  let source = null;
  let timer = 0;
  let opened = 0;

  const ask = async () => {
    try {
      onState(await get("/state"));
      if (!source || source.readyState !== EventSource.OPEN) onLive("asking");
    } catch {
      onLive("off");
    }
  };
  const open = () => {
    opened = Date.now();
    source?.close();
    source = new EventSource(BASE + "/events");
    source.addEventListener("open", () => onLive("live"));
    source.addEventListener("state", (event) => {
      onLive("live");
      onState(JSON.parse(event.data));
    });
    source.addEventListener("error", ask);
  };
  const tick = () => {
    if (document.hidden) {
      source?.close();
      source = null;
      return;
    }
    if (source && source.readyState === EventSource.OPEN) return;
    if (!source || Date.now() - opened > AGAIN_MS) open();
    else ask();
  };
  document.addEventListener("visibilitychange", tick);
  timer = setInterval(tick, ASK_MS);
  open();
  return () => {
    clearInterval(timer);
    source?.close();
  };
}
