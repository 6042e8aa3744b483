import { expect, it } from "vitest";
import { coreOf } from "./builds.ts";
import { fromHex, vectors } from "./vectors.ts";

it("murmur2 gives Kafka's values, in whichever array the key lies", async () => {
  const core = await coreOf("release");
  for (const { inputHex, hash } of vectors.murmur2) {
    expect(core.murmur2(fromHex(inputHex)), inputHex).toBe(hash);
    expect(core.murmur2(fromHex(`ff${inputHex}ff`).subarray(1, 1 + inputHex.length / 2)), inputHex).toBe(hash);
  }
});
