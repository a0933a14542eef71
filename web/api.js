// The Hub's API from the browser: key, requests, live news.

const KEY_NAME = "botburrow.key";

/** The owner's key, for this tab only. It never stays in the address bar or the history. */
export const key = {
  read() {
    return sessionStorage.getItem(KEY_NAME) || "";
  },
  save(value) {
    if (value) sessionStorage.setItem(KEY_NAME, value);
    else sessionStorage.removeItem(KEY_NAME);
  },
  /** Takes `#key=…` out of the address. True if there was one. */
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
    history.replaceState(history.state, "", location.pathname + location.search);
    return true;
  },
};

/** What went wrong, in words for people. `status` 0: the Hub did not answer. */
export class ApiError extends Error {
  constructor(status, message, code = "", wait = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.wait = wait;
  }
}

let base = "/api/v1";

/** Asks the Hub where its API is; the usual place if it does not say. */
export async function findApi() {
  try {
    const answer = await fetch("/", { headers: { Accept: "application/json" }, cache: "no-store" });
    const about = await answer.json();
    if (typeof about.api === "string" && about.api.startsWith("/")) base = about.api;
  } catch {
    // The first request will tell that the Hub is away.
  }
}

function headers(extra = {}) {
  const all = { Accept: "application/json", ...extra };
  const value = key.read();
  if (value) {
    // A header holds plain ASCII only; anything else cannot be a key.
    all.Authorization = "Bearer " + (/^[\x21-\x7e]+$/.test(value) ? value : "unreadable");
  }
  return all;
}

function waitOf(response, body) {
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) return Math.ceil(seconds);
  return body && body.retry_after_minutes > 0 ? Math.ceil(body.retry_after_minutes * 60) : 0;
}

async function failure(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy's page, perhaps.
  }
  let text = (body && typeof body.detail === "string" && body.detail) || `The Hub answered ${response.status}.`;
  if (body && Array.isArray(body.errors) && body.errors.length) {
    text = body.errors.map((e) => `${(e.loc || []).slice(-1)[0] || "request"}: ${e.msg}`).join("; ");
  }
  return new ApiError(response.status, text, (body && body.code) || "", waitOf(response, body));
}

/** One request. Throws ApiError. */
export async function call(method, path, { body, idempotencyKey, signal } = {}) {
  const extra = {};
  if (body !== undefined) extra["Content-Type"] = "application/json";
  if (idempotencyKey) extra["Idempotency-Key"] = idempotencyKey;
  let response;
  try {
    response = await fetch(base + path, {
      method,
      headers: headers(extra),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The Hub does not answer.");
  }
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return {};
  try {
    return await response.json();
  } catch {
    throw new ApiError(0, "The Hub's answer could not be read.");
  }
}

export const get = (path, signal) => call("GET", path, { signal });

/** 128 random bits in hex; also where the page is not served over HTTPS. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "web-" + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Cuts a stream of server-sent events into {event, data}. */
export function eventParser(onEvent) {
  let rest = "";
  let name = "";
  let data = [];
  return (text) => {
    rest += text;
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) onEvent({ event: name || "message", data: data.join("\n") });
        name = "";
        data = [];
      } else if (line.startsWith("event:")) {
        name = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        data.push(line.slice(5).replace(/^ /, ""));
      }
    }
  };
}

const SILENCE_MS = 45000; // the Hub says something every 15 s
const POLL_MS = 2000;

/**
 * Calls `onNews(change or null)` whenever something may be new: by the event stream, or every two
 * seconds while there is none. `onState("live" | "polling")` tells which.
 */
export function watch(onNews, onState) {
  let stopped = false;
  let pollTimer = 0;
  let controller = null;

  const startPolling = () => {
    if (pollTimer || stopped) return;
    onState("polling");
    pollTimer = setInterval(() => {
      if (!document.hidden) onNews(null);
    }, POLL_MS);
  };
  const stopPolling = () => {
    clearInterval(pollTimer);
    pollTimer = 0;
  };

  async function stream() {
    controller = new AbortController();
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => controller.abort(), SILENCE_MS);
    };
    heard();
    try {
      const response = await fetch(base + "/events", {
        headers: headers({ Accept: "text/event-stream" }),
        cache: "no-store",
        signal: controller.signal,
      });
      const type = response.headers.get("Content-Type") || "";
      if (!response.ok || !response.body || !type.startsWith("text/event-stream")) return false;
      stopPolling();
      onState("live");
      onNews(null);
      const parse = eventParser(({ event, data }) => {
        let change = {};
        try {
          change = JSON.parse(data);
        } catch {
          // An event of another kind.
        }
        onNews({ ...change, event });
      });
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return true;
        heard();
        parse(decoder.decode(value, { stream: true }));
      }
    } catch {
      return false;
    } finally {
      clearTimeout(silence);
    }
  }

  (async () => {
    let pause = 1000;
    while (!stopped) {
      const worked = await stream();
      if (stopped) return;
      startPolling();
      pause = worked ? 1000 : Math.min(pause * 2, 30000);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  })();

  return () => {
    stopped = true;
    stopPolling();
    if (controller) controller.abort();
  };
}
