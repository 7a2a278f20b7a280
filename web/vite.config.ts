import { defineConfig } from "vitest/config";

// Relative asset paths: the page may be served below any prefix. Workers are inlined as classic scripts, so that
// they start from blob: URLs and need no second request.
export default defineConfig({
  base: "./",
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, modulePreload: false },
  worker: { format: "iife" },
  test: { include: ["test/*.test.ts"], environment: "node" },
});
