// Keys and signatures in minisign's form (https://jedisct1.github.io/minisign/#signature-format), made without minisign.

import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/** A key pair. `line` is the public key as `--trusted-key` takes it, `id` what minisign calls it. */
export class Signer {
  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.number = randomBytes(8);
    this.secret = privateKey;
    const key = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
    this.line = Buffer.concat([Buffer.from("Ed"), this.number, key]).toString("base64");
    this.id = Buffer.from(this.number).reverse().toString("hex").toUpperCase();
  }

  /** The text of the public key's file. */
  get file() {
    return `untrusted comment: minisign public key ${this.id}\n${this.line}\n`;
  }

  /** Signs the file at `path`; the signature lies beside it. */
  sign(path) {
    const signature = sign(null, createHash("blake2b512").update(readFileSync(path)).digest(), this.secret);
    const comment = "timestamp:1763700000\tfile:selkies-plugin.json\thashed";
    const whole = sign(null, Buffer.concat([signature, Buffer.from(comment)]), this.secret);
    const first = Buffer.concat([Buffer.from("ED"), this.number, signature]).toString("base64");
    const lines = ["untrusted comment: signature", first, `trusted comment: ${comment}`, whole.toString("base64"), ""];
    writeFileSync(`${path}.minisig`, lines.join("\n"));
  }
}
