// The stock web client of Selkies 2.1.0, out of its wheel on PyPI, kept below target/.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { must, ROOT, tool } from "./tools.mjs";

const VERSION = "2.1.0";
const STOCK = join(ROOT, "target", "stock");
const WEB = join(STOCK, "web");

/** Answers the folder of the stock client, which it fetches once. */
export async function stockClient() {
  if (existsSync(join(WEB, "index.html"))) return WEB;
  const work = join(STOCK, "unpacked");
  rmSync(STOCK, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const python = tool("python3");
  await must(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", `selkies==${VERSION}`, "-d", STOCK]).catch(
    (error) => {
      throw new Error(`the stock client cannot be fetched (Debian package: python3-pip): ${error.message}`);
    },
  );
  const wheel = readdirSync(STOCK).find((name) => name.endsWith(".whl"));
  await must(python, ["-m", "zipfile", "-e", join(STOCK, wheel), work]);
  const pages = readdirSync(work, { recursive: true }).filter((name) => name.endsWith("index.html"));
  const page = pages.sort((a, b) => a.split("/").length - b.split("/").length)[0];
  if (!page) throw new Error(`selkies ${VERSION} has no index.html`);
  renameSync(dirname(join(work, page)), WEB);
  return WEB;
}
