/** The prover of flipped bits sees what it is for: a directory that is other than it was said to be, a flip undone, bytes nobody wrote. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { bitsProver } from "./bits-prover.ts";
import { flipBrokers } from "./broker-flips.ts";
import { ImageStorage } from "./disk-image.ts";
import { flipEngine } from "./engine-flips.ts";
import { DIRECTORY, type MadePartition, madePartition } from "./made-partition.ts";
import { PartitionFlips } from "./partition-flips.ts";
import { harmPartition } from "./partition-harms.ts";

const TO_READ = { cleanShutdown: true, isChanging: false };
const trial = (seed: number): Parameters<typeof bitsProver.run>[0] => ({ seed, directory: () => "", say: () => {} });

/** The first partition from a seed on that is as wanted. */
async function made(wanted: (partition: MadePartition) => boolean): Promise<MadePartition> {
  for (let seed = 1; ; seed += 1) {
    const partition = await madePartition(new SeededRandom(seed));
    if (wanted(partition)) return partition;
  }
}

const someOf = (partition: PartitionFlips, file: RegExp, count: number): ReturnType<PartitionFlips["targets"]> => {
  const all = partition.targets().filter((flip) => file.test(flip.file));
  const step = Math.max(1, Math.floor(all.length / count));
  return all.filter((_, index) => index % step === 0);
};

describe("flips in a partition", () => {
  it("are all seen, or change nothing, however it is opened", async () => {
    const partition = await made(({ isKilled }) => !isKilled);
    for (const cleanShutdown of [true, false])
      for (const isChanging of [true, false]) {
        const flips = await PartitionFlips.begin(partition, { cleanShutdown, isChanging });
        const targets = someOf(flips, /./, 30);
        const { flips: count, failures } = await flips.run(targets, new SeededRandom(3));
        expect(failures).toEqual([]);
        expect(count).toBe(targets.length);
      }
  });

  it("that are given out for good are undetected", async () => {
    const partition = await made(({ isKilled }) => !isKilled);
    const flips = await PartitionFlips.begin(partition, TO_READ);
    // What was written is said to differ in one bit from what is read.
    const bytes = Buffer.from(flips.truth.bytes);
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    Object.assign(flips, { truth: { ...flips.truth, bytes } });
    const { failures } = await flips.run(someOf(flips, /partition\.metadata$/, 3), new SeededRandom(1));
    expect(failures[0]).toMatchObject({ breach: "undetectedFlip", what: expect.stringContaining("for good") });
  });

  it("that shorten the log are losses, and neighbours that cannot be read are told of", async () => {
    const partition = await made(({ isKilled, sent }) => !isKilled && sent !== null);
    const flips = await PartitionFlips.begin(partition, TO_READ);
    Object.assign(flips, { truth: { ...flips.truth, logEndOffset: flips.truth.logEndOffset + 1 } });
    const { failures } = await flips.run(someOf(flips, /partition\.metadata$/, 1), new SeededRandom(1));
    expect(failures[0]).toMatchObject({ breach: "lost" });

    // The batch that holds the flip is said to lie elsewhere: its refusal is then one too many.
    const moved = await PartitionFlips.begin(partition, TO_READ);
    const batches = moved.truth.batches.map((batch) => ({ ...batch, position: batch.position + 1_000_000 }));
    Object.assign(moved, { truth: { ...moved.truth, batches } });
    const refused = await moved.run(someOf(moved, /\.log$/, 3), new SeededRandom(1));
    expect(refused.failures[0]?.what).toContain("expected neighbours to be readable");
  });
});

describe("the other kinds", () => {
  it("find nothing wrong with what is right", async () => {
    const random = new SeededRandom(11);
    const harms = await harmPartition(await madePartition(random), 40, random);
    expect(harms).toMatchObject({ harms: 40, failures: [] });
    const brokers = await flipBrokers(60, random);
    expect(brokers).toMatchObject({ flips: 60, failures: [] });
    const engine = await flipEngine(8, random);
    expect(engine).toMatchObject({ flips: 8, failures: [] });
  });
});

describe("the prover", () => {
  it("does the same again for the same seed", { timeout: 60_000 }, async () => {
    expect(await bitsProver.run(trial(5))).toEqual(await bitsProver.run(trial(5)));
  });

  it("stands on a storage that is one, and that goes back to its image whatever was done to it", async () => {
    const image = new Map([[`${DIRECTORY}/a`, new Uint8Array([1, 2, 3])]]);
    const storage = new ImageStorage(image);
    storage.flip(`${DIRECTORY}/a`, 9);
    expect(storage.bytesOf(`${DIRECTORY}/a`)).toEqual(new Uint8Array([1, 0, 3]));
    const file = await storage.open(`${DIRECTORY}/a`, { create: "no" });
    file.truncate(1);
    file.writeAt(new Uint8Array(5000).fill(7), 1);
    await storage.remove(`${DIRECTORY}/a`);
    await storage.createDirectory("other-0");
    expect(storage.wasWritten).toBe(true);
    storage.reset();
    expect(storage.wasWritten).toBe(false);
    expect(storage.bytesOf(`${DIRECTORY}/a`)).toEqual(new Uint8Array([1, 2, 3]));
    expect((await storage.list("")).map(({ name }) => name)).toEqual([DIRECTORY]);
    const again = await storage.open(`${DIRECTORY}/a`, { create: "no" });
    again.truncate(10);
    const grown = new Uint8Array(10);
    again.readAt(grown, 0);
    expect(grown).toEqual(new Uint8Array([1, 2, 3, 0, 0, 0, 0, 0, 0, 0]));
  });
});
