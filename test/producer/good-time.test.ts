/** Answers that come while timers wait: told in the next turn, each as it would have been told in this one. */
import { describe, expect, it } from "vitest";
import type { Acks } from "../../src/api/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { StorageError } from "../../src/base/errors.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { makeWorld } from "./world.ts";

const topic = "orders";
const COUNT = 20;

describe("a turn that has lasted long enough", () => {
  it.each([
    ["send", "all", false],
    ["send", "all", true],
    ["send", 0, false],
    ["sendBatch", "all", false],
    ["sendBatch", "all", true],
  ] as const)("ends before all is told of many that %s with acks %j, and then it is (refused: %j)", async (way, acks, isRefused) => {
    // Each look at this clock is 3 ms later: a turn is soon spent.
    let looks = 0;
    const { broker, producer } = makeWorld({ ...systemClock, monotonic: () => 3 * looks++ });
    broker.makeTopic(topic, COUNT);
    const sender = producer({ acks: acks as Acks, bufferMemory: 10_000_000 }) as ReturnType<typeof producer>;
    await sender.send({ topic, partition: 0, value: "known" });
    await sender.flush();
    await settled();
    if (isRefused) broker.refuse = () => new StorageError("STORAGE_FULL", "no room");
    const told: unknown[] = [];
    const note = (outcome: unknown): number => told.push(outcome);
    for (let partition = 0; partition < COUNT; partition += 1) {
      const record = { topic, partition, value: "v" };
      void (way === "send" ? sender.send(record) : sender.sendBatch([record])).then(note, note);
    }
    for (let microtasks = 0; microtasks < 500; microtasks += 1) await null;
    expect(told.length).toBeLessThan(COUNT);
    const flushing = sender.flush();
    for (let turns = 0; turns < 3 * COUNT; turns += 1) await settled();
    await flushing;
    expect(told).toHaveLength(COUNT);
    for (const outcome of told.flat()) {
      if (isRefused) expect([outcome, (outcome as Error).cause]).toContainEqual(expect.objectContaining({ code: "STORAGE_FULL" }));
      else expect(outcome).toMatchObject({ topic, durability: acks === 0 ? "none" : "power" });
    }
  });
});
