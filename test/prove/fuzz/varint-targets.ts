/** The core's varints, bare, at the very end of its memory: whatever is read behind what there is leaves it. */
import { CORE_BASE64 } from "../../../src/core/core-bytes.ts";
import type { CoreExports } from "../../../src/core/core-exports.ts";
import { webAssembly } from "../../../src/core/web-assembly.ts";
import { slowReadVarint, slowVarint } from "../../core/twin/varint.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

const VALUES = [0n, -1n, 63n, 64n, -65n, 300n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
/** More than the longest that there is. */
const BYTES_MAX = 24;

export async function varintTargets(): Promise<FuzzTarget[]> {
  const api = webAssembly();
  if (api === undefined) throw new Error("the fuzzer needs WebAssembly");
  const module = await api.compile(Uint8Array.from(Buffer.from(CORE_BASE64, "base64")));
  const raw = new api.Instance(module, {}).exports as CoreExports;
  const mailbox = raw.initialize();
  const specimens = VALUES.map((value) => Uint8Array.from(slowVarint(value)));
  const target = (bits: 32 | 64): FuzzTarget => ({
    name: `varint of ${bits} bits`,
    specimens,
    decode(input) {
      const bytes = input.subarray(0, BYTES_MAX);
      const memory = new Uint8Array(raw.memory.buffer);
      const at = memory.length - bytes.length;
      memory.set(bytes, at);
      const found = bits === 32 ? raw.decodeVarint(at, bytes.length) : raw.decodeVarlong(at, bytes.length);
      const expected = slowReadVarint(bytes, 0, bits);
      const told = expected === null ? "a refusal" : `${expected.value} in ${expected.end} bytes`;
      mustBe(found < 0 === (expected === null), () => `${found} bytes were read, expected ${told}`);
      if (expected === null) return;
      const answer = new DataView(raw.memory.buffer, mailbox);
      const low = answer.getInt32(0, true);
      const value = bits === 32 ? BigInt(low) : (BigInt(answer.getInt32(8, true)) << 32n) | BigInt(low >>> 0);
      mustBe(found === expected.end && value === expected.value, () => `found ${value} in ${found} bytes, expected ${told}`);
    },
  });
  return [target(32), target(64)];
}
