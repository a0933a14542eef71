// Reads Kubernetes objects as one JSON list on standard input, and prints each field that the schema of its kind
// refuses or does not know. The schemas are compiled validators, which read every property that they know and pass
// over all others; a proxy notes what is read, and what was never read is unknown.
import { readFileSync } from "node:fs";

const packages = {
  "argoproj.io": "@kubernetes-models/argo-cd",
  "bitnami.com": "@kubernetes-models/sealed-secrets",
  "keda.sh": "@kubernetes-models/keda",
  "kustomize.toolkit.fluxcd.io": "@kubernetes-models/flux-cd",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "source.toolkit.fluxcd.io": "@kubernetes-models/flux-cd",
};

// Groups of Kubernetes itself stand under their first word, apart from those with a dot.
function moduleOf(apiVersion) {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return `${packages[group] ?? "kubernetes-models"}/${group === "" ? version : `${group}/${version}`}`;
}

// Notes in `read` (object -> set of keys) what is looked at.
function watched(value, read, proxies) {
  if (value === null || typeof value !== "object") return value;
  if (proxies.has(value)) return proxies.get(value);
  const note = (key) => {
    if (!read.has(value)) read.set(value, new Set());
    read.get(value).add(key);
  };
  const proxy = new Proxy(value, {
    get(target, key, receiver) {
      if (typeof key === "string") note(key);
      return watched(Reflect.get(target, key, receiver), read, proxies);
    },
    has(target, key) {
      note(key);
      return Reflect.has(target, key);
    },
    getOwnPropertyDescriptor: Reflect.getOwnPropertyDescriptor,
  });
  proxies.set(value, proxy);
  return proxy;
}

function* unknown(value, read, path) {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* unknown(item, read, `${path}[${i}]`);
  } else if (value !== null && typeof value === "object") {
    // Of an object that may hold anything nothing is read.
    const keys = read.get(value);
    if (keys === undefined) return;
    for (const [key, item] of Object.entries(value)) {
      if (keys.has(key)) yield* unknown(item, read, `${path}.${key}`);
      else yield `${path}.${key}`;
    }
  }
}

let faults = 0;
const objects = JSON.parse(readFileSync(0, "utf8"));
for (const object of objects) {
  const name = `${object.kind} ${object.metadata?.name}`;
  const fault = (text) => {
    ++faults;
    console.log(`${name}: ${text}`);
  };
  let model;
  try {
    model = (await import(moduleOf(object.apiVersion)))[object.kind];
  } catch (error) {
    fault(`no schemas of ${object.apiVersion}: ${error.message.split("\n")[0]}`);
    continue;
  }
  if (model === undefined) {
    fault(`${object.apiVersion} has no kind ${object.kind}`);
    continue;
  }
  const read = new Map();
  try {
    model.prototype.validate.call(watched(object, read, new Map()));
  } catch (error) {
    for (const line of error.message.split("\n")) fault(line.trim());
  }
  for (const path of unknown(object, read, "")) fault(`${path.slice(1)} is no field`);
}
if (objects.length === 0) {
  console.log("nothing to check");
  ++faults;
}
process.exit(faults === 0 ? 0 : 1);
