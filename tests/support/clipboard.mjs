// Applications that copy and paste: xclip and xsel.

import { execFile, spawn } from "node:child_process";
import { compiled, must, tool, until } from "./tools.mjs";

/** Has xclip copy these bytes; it keeps them in the background until another application copies. */
export async function copy(x, bytes, { type = null, selection = "clipboard" } = {}) {
  const args = ["-selection", selection, ...(type ? ["-t", type] : [])];
  const before = await owner(x, selection);
  await new Promise((resolve, reject) => {
    const process = spawn(tool("xclip"), args, { env: x.env, stdio: ["pipe", "ignore", "ignore"] });
    process.once("error", reject);
    process.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`xclip ended with ${code}`))));
    process.stdin.end(bytes);
  });
  // It ends before the process that it leaves behind has told the server anything: what is offered in between would be
  // taken away again a moment later.
  await until("xclip has the selection", async () => !["0", before].includes(await owner(x, selection)));
}

/** The window that has a selection, as a number; "0" for none. */
async function owner(x, selection) {
  return (await must(compiled("owner"), [selection.toUpperCase()], { env: x.env })).trim();
}

/** What xclip, or another program, pastes; empty where there is nothing. */
export function paste(x, { type = null, selection = "clipboard", program = "xclip" } = {}) {
  const args = program === "xsel" ? ["-ob"] : ["-o", "-selection", selection, ...(type ? ["-t", type] : [])];
  return new Promise((resolve) => {
    execFile(tool(program), args, { env: x.env, encoding: "buffer", maxBuffer: 64 << 20, timeout: 30_000 }, (_, stdout) => resolve(stdout));
  });
}

/** Waits until exactly this is pasted. */
export async function waitPasted(x, wanted, { limit = 20_000, ...options } = {}) {
  const bytes = Buffer.from(wanted);
  let got;
  await until(
    () => `${bytes.length} bytes are pasted; ${got?.length} bytes are: ${got?.toString("utf8", 0, 80)}`,
    async () => (got = await paste(x, options)).equals(bytes),
    limit,
    100,
  );
}
