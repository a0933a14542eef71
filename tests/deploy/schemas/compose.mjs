// Reads a compose file as Compose does: variables from an .env file, defaults and required ones; then against the
// schema of the Compose Specification. Prints the outcome as JSON; faults go to standard error, one a line.
//   node compose.mjs COMPOSE.YAML ENV_FILE
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";

const [composeFile, envFile] = process.argv.slice(2);
const faults = [];

const variables = Object.fromEntries(
  readFileSync(envFile, "utf8")
    .split("\n")
    .filter((line) => /^[A-Z_0-9]+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
);

// ${NAME}, ${NAME:-default}, ${NAME:?message}; the forms with a colon count an empty value as none.
const interpolate = (text) =>
  text.replace(/\$\$|\$\{([A-Z_0-9]+)(?:(:?[-?])([^}]*))?\}|\$/g, (all, name, form, rest) => {
    if (all === "$$") return "$";
    if (!name) return faults.push(`${text}: a $ that begins no variable; write $$`) && all;
    const value = variables[name];
    const missing = form?.startsWith(":") ? !value : value === undefined;
    if (!missing) return value;
    if (form?.endsWith("-")) return rest;
    if (form?.endsWith("?")) faults.push(`${name} is required: ${rest}`);
    else if (value === undefined) faults.push(`${name} is neither in the .env file nor has it a default`);
    return "";
  });
const walk = (node) =>
  typeof node === "string"
    ? interpolate(node)
    : Array.isArray(node)
      ? node.map(walk)
      : node && typeof node === "object"
        ? Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value)]))
        : node;

const compose = walk(parse(readFileSync(composeFile, "utf8"), { merge: true, uniqueKeys: true }));
const schema = JSON.parse(readFileSync(new URL("./node_modules/dclint/schemas/compose.schema.json", import.meta.url)));
delete schema.$schema;
const ajv = new Ajv({ allErrors: true, strict: false });
addFormats(ajv);
// Not of the standard, and used by the schema.
for (const format of ["ports", "expose", "subnet_ip_address"]) ajv.addFormat(format, true);
if (!ajv.validate(schema, compose))
  for (const { instancePath, message, params } of ajv.errors)
    faults.push(`${instancePath || "/"} ${message} ${JSON.stringify(params)}`);

console.log(JSON.stringify(compose));
for (const fault of new Set(faults)) console.error(fault);
process.exit(faults.length ? 1 : 0);
