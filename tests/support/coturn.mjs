// A real TURN server: coturn on loopback, with a shared secret and a certificate of its own.

import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, folder } from "./host.mjs";
import { Process } from "./processes.mjs";
import { run, tool, until } from "./tools.mjs";

/** Relayed ports of each server, far from those that the kernel gives out. */
let nextRange = 20_000 + (process.pid % 200) * 20;

/** Whether something listens on a TCP port of loopback. */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(socket.destroy() !== undefined));
    socket.once("error", () => resolve(false));
  });
}

/** A running coturn. */
export class Coturn {
  /** `secret`: for credentials of TURN REST; `user`: "name:password" for those that stay; `ports`: how many may be relayed. */
  static async start({ secret, user, ports = 20 }) {
    const place = folder("coturn");
    const [port, tlsPort] = [await freePort(), await freePort()];
    const certificate = join(place, "cert.pem");
    const key = join(place, "key.pem");
    // Not the system's settings, which make every certificate one of an authority.
    const settings = join(place, "openssl.cnf");
    writeFileSync(settings, "[req]\ndistinguished_name = name\n[name]\n");
    const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    const request = ["req", "-config", settings, "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const made = await run(tool("openssl"), [...request, "-subj", "/CN=localhost", "-addext", names, "-addext", "basicConstraints=CA:FALSE", "-keyout", key, "-out", certificate]);
    if (made.code !== 0) throw new Error(made.stderr);
    const from = nextRange;
    nextRange += ports;
    const credentials = secret ? ["--use-auth-secret", "--static-auth-secret", secret] : ["--lt-cred-mech", "--user", user];
    const server = new Process(
      tool("turnserver"),
      [
        ...["-n", "--no-cli", "--log-file", "stdout", "--pidfile", join(place, "pid"), "--userdb", join(place, "db")],
        ...["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers", "--realm", "example.com"],
        ...["--listening-port", String(port), "--tls-listening-port", String(tlsPort)],
        ...["--min-port", String(from), "--max-port", String(from + ports - 1), "--cert", certificate, "--pkey", key],
        ...credentials,
      ],
      { cwd: place },
    );
    const coturn = new Coturn(server, port, tlsPort, certificate);
    await until(
      () => `coturn listens: ${server.out}${server.err}`,
      () => {
        if (server.ended !== null) throw new Error(`coturn ended: ${server.out}${server.err}`);
        return Promise.all([accepts(port), accepts(tlsPort)]).then((both) => both.every(Boolean));
      },
      30_000,
    );
    return coturn;
  }

  constructor(server, port, tlsPort, certificate) {
    Object.assign(this, { server, port, tlsPort, certificate });
  }

  stop() {
    return this.server.stop();
  }
}
