/** The sends of one turn: when their batch goes, and how often it is looked at what is known of their topic. */
import { describe, expect, it } from "vitest";
import type { Timer } from "../../src/base/clock.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { makeWorld } from "./world.ts";

const topic = "orders";
const value = "v";

/** Counts how often it is looked at, and notes which timers keep the process alive. */
class WatchedClock extends ManualClock {
  lookCount = 0;
  readonly keepAlives: boolean[] = [];

  override monotonic(): number {
    this.lookCount += 1;
    return super.monotonic();
  }

  override after(delayMs: number, call: () => void, keepAlive = false): Timer {
    this.keepAlives.push(keepAlive);
    return super.after(delayMs, call);
  }
}

describe("the sends of one turn", () => {
  it("go as one batch as soon as a look finds nothing new", async () => {
    const { broker, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    await sender.send({ topic, value });
    const sent = [sender.send({ topic, value }), sender.send({ topic, value })];
    await null;
    expect(broker.batches).toHaveLength(1);
    await null;
    expect(broker.batches.map(({ recordCount }) => recordCount)).toEqual([1, 2]);
    await Promise.all(sent);
  });

  it("have the age of their topic looked at for the first two, in every turn anew, and not for each record", async () => {
    const { broker, clock, producer } = makeWorld(new WatchedClock());
    broker.makeTopic(topic, 1);
    const sender = producer();
    await sender.send({ topic, value });
    for (let turn = 0; turn < 4; turn += 1) {
      const before = clock.lookCount;
      const sent = Array.from({ length: 50 }, () => sender.send({ topic, value }));
      expect(clock.lookCount - before).toBe(2);
      await Promise.all(sent);
    }
  });

  it("ask for a topic anew when the producer was at rest, however often it had sent before", async () => {
    const { broker, clock, producer } = makeWorld();
    broker.makeTopic(topic, 1);
    const sender = producer();
    for (let turn = 0; turn < 3; turn += 1) await sender.send({ topic, value });
    expect(broker.metadataCalls).toBe(1);
    await clock.advance(10_001);
    await sender.send({ topic, value });
    expect(broker.metadataCalls).toBe(2);
  });

  it("keep the process alive while they linger", async () => {
    const { broker, clock, producer } = makeWorld(new WatchedClock());
    broker.makeTopic(topic, 1);
    const sender = producer({ lingerMs: 60_000 });
    await Promise.all([sender.send({ topic, value }), sender.flush()]);
    clock.keepAlives.length = 0;
    const lingering = sender.send({ topic, value });
    expect(clock.keepAlives).toEqual([true]);
    await clock.advance(60_000);
    await lingering;
  });
});
