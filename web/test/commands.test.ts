import { expect, test } from "vitest";
import { events, say, settings, start, useFakes } from "./fake-stream";

useFakes();

const allowed = () => events.filter((event) => event.type === "commands").map((event) => event.allowed);

test("who may run lines is told, and what became of them", () => {
  start();
  expect(allowed()).toEqual([false]);
  settings({ command_enabled: { value: true } });
  expect(allowed().at(-1)).toBe(true);
  say('system,{"action":"command_done,true","status":0,"output":"","cut":false}');
  expect(events.at(-1)).toEqual({ type: "command", done: true, told: "true", output: "" });
  say('AUTH_SUCCESS,{"role":"viewer","slot":null}');
  expect(allowed().at(-1)).toBe(false);
});

test.each([
  ["where the operator switched it off", {}, { command_enabled: { value: false } }],
  ["of a server that does not tell", {}, {}],
  ["for who only watches", { viewer: true }, { command_enabled: { value: true } }],
])("there is no field for lines %s", (_, options, told) => {
  start(options);
  settings(told);
  expect(allowed()).not.toContain(true);
});
