// Plugins of others: the templates, copied out of the project, built against the SDK or the header alone, and shown.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { vendorPlugin } from "../support/plugins.mjs";
import { until } from "../support/tools.mjs";

for (const kind of ["c", "rust"]) {
  describe(`a capture in ${kind}`, { timeout: 360_000 }, () => {
    test("is built outside, is found, and its frames arrive", { timeout: 340_000 }, async () => {
      const { folder, id } = await vendorPlugin(kind);
      const listed = await hostCommand(["--plugins", folder, "plugins", "list"]);
      assert.equal(listed.code, 0, listed.stderr);
      assert.ok(listed.stdout.includes(id), listed.stdout);
      const isolation = { default: "in-process", "allow-in-process": ["*"] };
      const host = await Host.start({ plugins: [folder, PLUGINS], config: { capture: { plugin: id }, plugins: { isolation } } });
      try {
        const client = await WireClient.controller(host, { size: [640, 360] });
        await client.waitFrames(1);
        // The templates draw something that is not black, and that moves.
        let first;
        const brightest = ({ data }) => data.reduce((most, value) => Math.max(most, value), 0);
        await until("a picture with colour", () => brightest((first = client.picture())) > 60, 8000, 50);
        assert.ok(first.width >= 64 && first.height >= 64);
        await client.waitFrames(5);
        assert.equal(client.closed, null);
        assert.ok(await host.healthy());
        client.stop();
      } finally {
        await host.stop();
      }
    });
  });
}
