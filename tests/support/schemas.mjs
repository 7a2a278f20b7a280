// The committed JSON Schemas of the wire and of the list of plugins, as checks.

import Ajv2020 from "ajv/dist/2020.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./tools.mjs";

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const FOLDER = join(ROOT, "schemas", "wire");

/** A schema of schemas/wire by its name without `.schema.json`. */
export function schema(name) {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.schema.json`), "utf8"));
}

/** Fails where `value` does not fit the schema of the list of plugins. */
export function fitsList(value) {
  const path = join(ROOT, "schemas", "selkies-plugins-list.schema.json");
  const check = ajv.getSchema("plugins-list") ?? ajv.addSchema({ ...JSON.parse(readFileSync(path, "utf8")), $id: "plugins-list" }).getSchema("plugins-list");
  assert.ok(check(value), ajv.errorsText(check.errors));
}

/** Fails where `value` does not fit the schema of this name. */
export function fits(name, value) {
  const check = ajv.getSchema(name) ?? ajv.addSchema({ ...schema(name), $id: name }).getSchema(name);
  assert.ok(check(value), `${JSON.stringify(value).slice(0, 200)} does not fit ${name}: ${ajv.errorsText(check.errors)}`);
}
