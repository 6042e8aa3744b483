/** Whether the fuzzer sees: planted decoders that trap, hang, swallow or lie turn it red, the real ones do not. */
import { expect, it } from "vitest";
import { OdradekError } from "../../../src/base/errors.ts";
import { allTargets, fuzz, fuzzProver } from "./fuzz-prover.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

const quiet = (seed: number) => ({ seed, say: () => {}, directory: () => "" });
const planted = (decode: FuzzTarget["decode"]): FuzzTarget[] => [{ name: "planted", specimens: [new Uint8Array(40)], decode }];
const told = async (decode: FuzzTarget["decode"], inputCount = 400): Promise<string> =>
  (await fuzz(quiet(1), planted(decode), inputCount)).failures.map(({ what }) => what).join("\n");

it("gives every decoder some thousand inputs, and finds nothing wrong with what they answer", async () => {
  const tally = await fuzzProver.run(quiet(17));
  expect(tally.failures).toEqual([]);
  expect(tally.counts.fuzzInputs).toBe(5000);
});

it("does the same again for the same seed", async () => {
  const seen: string[] = [];
  const note = (bytes: Uint8Array): void => void seen.push(Buffer.from(bytes).toString("hex"));
  await fuzz(quiet(5), planted(note), 100);
  await fuzz(quiet(5), planted(note), 100);
  expect(seen.slice(0, 100)).toEqual(seen.slice(100));
  expect(new Set(seen).size).toBeGreaterThan(60);
});

it("reaches the decoders behind their checksums", async () => {
  for (const target of await allTargets()) {
    let answered = 0;
    const counting: FuzzTarget = {
      ...target,
      decode: async (bytes, random) => {
        await target.decode(bytes, random);
        answered += 1;
      },
    };
    await fuzz(quiet(2), [counting], 300);
    expect(answered, target.name).toBeGreaterThan(2);
  }
});

it("turns red where a decoder reads past the end of what it was given", async () => {
  expect(await told((bytes) => new DataView(bytes.buffer).getInt32(30))).toMatch(/^planted: RangeError/);
});

it("turns red where a decoder takes memory for what the bytes claim", async () => {
  expect(await told((bytes) => (bytes.length < 4 ? null : new Uint8Array(new DataView(bytes.buffer).getUint32(0) * 2 ** 22)))).toMatch(
    /RangeError/,
  );
});

it("turns red where an answer is wrong, and takes a typed refusal for an answer", async () => {
  expect(await told((bytes) => mustBe(bytes[7] === 0, () => "the eighth byte is not 0"))).toMatch(/WrongAnswer: the eighth byte is not 0/);
  expect(
    await told(() => {
      throw new OdradekError("INVALID_RECORD", "no record");
    }),
  ).toBe("");
  expect(
    await told(() => {
      throw new OdradekError("UNKNOWN_SERVER_ERROR", "something");
    }),
  ).toMatch(/something/);
});

it("turns red where a decoder takes its time", async () => {
  const slow = (): void => {
    for (const begun = process.cpuUsage(); process.cpuUsage(begun).user < 80_000; );
  };
  const { failures } = await fuzz(quiet(1), planted(slow), 1, 50);
  expect(failures.map(({ what }) => what).join()).toMatch(/took \d+ ms/);
});
