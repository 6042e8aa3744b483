/** What becomes of an event: counted always, told to whoever listens as one object, and at the level that says how much it matters. */
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import { Events } from "../../src/engine/events.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

const LEVELS: Readonly<Record<string, readonly string[]>> = {
  error: [
    "recovery.damage",
    "storage.failed",
    "partition.failed",
    "lock.lost",
    "maintenance.failed",
    "transaction.inDoubt",
    "compaction.failed",
  ],
  warn: [
    "recovery.cut",
    "offset.reset",
    "offset.clamped",
    "commit.failed",
    "send.failed",
    "group.notKept",
    "record.skipped",
    "book.rebuilt",
    "directory.suspicious",
    "listener.failed",
    "transaction.timedOut",
    "transaction.late",
    "transaction.unknown",
    "owner.lost",
  ],
  info: ["quota.throttled", "owner.became"],
  debug: ["log.compacted", "segment.deleted", "transaction.aborted", "of no name"],
};

describe("an event", () => {
  it.each(Object.entries(LEVELS))("of harm or none is told to the logger as %s, with its type beside it", (level, types) => {
    const logged: unknown[][] = [];
    const at = (name: string) => (event: object, message: string) => void logged.push([name, (event as OdradekEvent).type, message]);
    const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
    const events = new Events(new ManualClock(), { logger: logger as never });
    for (const type of types) events.emit(type, {});
    expect(logged).toEqual(types.map((type) => [level, type, type]));
  });

  it("is one frozen object to all who listen, with its time, and a type that no field of it replaces", () => {
    const heard: OdradekEvent[] = [];
    const clock = new ManualClock(1_700_000_000_000);
    const events = new Events(clock, {
      onEvent: (event) => void heard.push(event),
      logger: { warn: (event: OdradekEvent) => void heard.push(event) } as never,
      publish: (event) => void heard.push(event),
    });
    events.emit("offset.reset", { partition: { topic: "t", partition: 1 }, from: 7, type: "another", timestamp: 0 });
    const [first] = heard;
    expect(first).toEqual({ type: "offset.reset", timestamp: 1_700_000_000_000, partition: { topic: "t", partition: 1 }, from: 7 });
    expect(heard).toEqual([first, first, first]);
    expect(heard.every((event) => event === first && Object.isFrozen(event))).toBe(true);
  });

  it("is counted by its type, whether anyone listens or not", () => {
    for (const listeners of [{}, { onEvent: () => {} }]) {
      const events = new Events(new ManualClock(), listeners);
      for (const type of ["a", "b", "a"]) events.emit(type, {});
      expect([...events.counts()]).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
    }
  });

  it("reaches those behind a listener that throws, and its teller hears nothing of that", () => {
    const reached: string[] = [];
    const failing = (name: string) => () => {
      reached.push(name);
      throw new Error(name);
    };
    const events = new Events(new ManualClock(), {
      onEvent: failing("onEvent"),
      logger: { debug: failing("logger") } as never,
      publish: failing("publish"),
    });
    expect(() => events.emit("a", {})).not.toThrow();
    expect(reached).toEqual(["onEvent", "logger", "publish"]);
  });
});
