// Plugins of others: the templates, copied out of the project, built against the SDK or the header alone, and shown.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { vendorPlugin } from "../support/plugins.mjs";
import { near } from "../support/picture.mjs";
import { until } from "../support/tools.mjs";

for (const kind of ["c", "rust"]) {
  describe(`a capture in ${kind}`, { timeout: 480_000 }, () => {
    test("is built outside, is found, and its frames arrive", { timeout: 460_000 }, async () => {
      const { folder, id } = await vendorPlugin(kind);
      const listed = await hostCommand(["--plugins", folder, "plugins", "list"]);
      assert.equal(listed.code, 0, listed.stderr);
      assert.ok(listed.stdout.includes(id), listed.stdout);
      const isolation = { default: "in-process", "allow-in-process": ["*"] };
      const host = await Host.start({ plugins: [folder, PLUGINS], config: { capture: { plugin: id }, plugins: { isolation } } });
      try {
        const client = await WireClient.controller(host, { size: [640, 360] });
        await client.waitFrames(1);
        // Both templates show red, green and blue, a second each.
        const missing = new Set(["red", "green", "blue"]);
        await until(() => `the colours arrive; ${[...missing]} did not`, () => {
          const { width, height, data } = client.picture();
          const at = (Math.floor(height / 2) * width + Math.floor(width / 2)) * 3;
          const [red, green, blue] = data.subarray(at, at + 3);
          if (near([red, green, blue], [0xc0, 0x20, 0x20])) missing.delete("red");
          if (near([red, green, blue], [0x20, 0xc0, 0x20])) missing.delete("green");
          if (near([red, green, blue], [0x20, 0x20, 0xc0])) missing.delete("blue");
          return missing.size === 0;
        }, 10_000, 100);
        assert.equal(client.closed, null);
        assert.ok(await host.healthy());
        client.stop();
      } finally {
        await host.stop();
      }
    });
  });
}
