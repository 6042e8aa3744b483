/** The engine's hours: when each task comes, that it does not meet itself, what a failure of it does, and how all of them end. */
import { describe, expect, it } from "vitest";
import type { OdradekEvent } from "../../src/api/odradek.ts";
import { Events } from "../../src/engine/events.ts";
import type { House } from "../../src/engine/house.ts";
import { Maintenance, type MaintenanceTask } from "../../src/engine/maintenance.ts";
import { retain, upkeepTasks } from "../../src/engine/upkeep.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";

const DAY_MS = 86_400_000;

interface Bed {
  readonly clock: ManualClock;
  readonly told: OdradekEvent[];
  readonly maintenance: Maintenance;
}

function bed(tasks: readonly MaintenanceTask[]): Bed {
  const clock = new ManualClock();
  const told: OdradekEvent[] = [];
  return { clock, told, maintenance: new Maintenance(clock, new Events(clock, { onEvent: (event) => void told.push(event) }), tasks) };
}

describe("a task", () => {
  it("comes first after its first delay, then after its interval, each for its own", async () => {
    const came: string[] = [];
    const task = (name: string, firstMs: number, intervalMs: number): MaintenanceTask => {
      return { name, firstMs, intervalMs, run: async () => came.push(`${name} ${clock.monotonic()}`) };
    };
    const { clock, maintenance } = bed([task("a", 10, 100), task("b", 50, 70)]);
    await clock.advance(9);
    expect(came).toEqual([]);
    await clock.advance(200);
    expect(came).toEqual(["a 10", "b 50", "a 110", "b 120", "b 190"]);
    await maintenance.stop();
  });

  it("that takes longer than its interval does not meet itself: the interval begins when it has ended", async () => {
    let count = 0;
    let end = (): void => {};
    const run = (): Promise<void> => {
      count += 1;
      return new Promise((resolve) => {
        end = resolve;
      });
    };
    const { clock, maintenance } = bed([{ name: "long", firstMs: 10, intervalMs: 10, run }]);
    await clock.advance(100);
    expect([count, clock.pendingCount]).toEqual([1, 0]);
    end();
    await settled();
    await clock.advance(9);
    expect(count).toBe(1);
    await clock.advance(1);
    expect(count).toBe(2);
    end();
    await maintenance.stop();
  });

  it("that fails, or throws before it could, is told of by name and comes again", async () => {
    const error = new Error("no room");
    let count = 0;
    const run = (): Promise<void> => {
      count += 1;
      if (count === 1) throw error;
      return Promise.reject(error);
    };
    const { clock, told, maintenance } = bed([{ name: "retention", firstMs: 10, intervalMs: 10, run }]);
    await clock.advance(30);
    expect(count).toBe(3);
    expect(told).toMatchObject(Array.from({ length: 3 }, () => ({ type: "maintenance.failed", task: "retention", error })));
    await maintenance.stop();
  });
});

describe("the end of the hours", () => {
  it("waits for what has begun, and nothing begins any more", async () => {
    let end = (): void => {};
    const came: string[] = [];
    const { clock, maintenance } = bed([
      {
        name: "under way",
        firstMs: 10,
        intervalMs: 10,
        run: () => {
          came.push("under way");
          return new Promise<void>((resolve) => {
            end = resolve;
          });
        },
      },
      { name: "later", firstMs: 20, intervalMs: 10, run: async () => came.push("later") },
    ]);
    await clock.advance(15);
    let isStopped = false;
    const stopped = maintenance.stop().then(() => {
      isStopped = true;
    });
    await settled();
    expect([isStopped, clock.pendingCount]).toEqual([false, 0]);
    end();
    await stopped;
    await clock.advance(1000);
    expect(came).toEqual(["under way"]);
    expect(clock.pendingCount).toBe(0);
  });
});

interface FakeLog {
  readonly spec: { readonly frozen: boolean };
  readonly calls: string[];
}

function logOf(segmentsDeleted: number, bytesReclaimed: number, frozen = false): FakeLog {
  const calls: string[] = [];
  return {
    spec: { frozen },
    calls,
    applyRetention: async () => {
      calls.push("retention");
      return { segmentsDeleted, bytesReclaimed };
    },
    sealUnsealed: async () => void calls.push("seals"),
    producers: { expire: (nowMs: number, afterMs: number) => void calls.push(`producers ${nowMs} ${afterMs}`) },
  } as unknown as FakeLog;
}

function houseOf(
  logs: readonly FakeLog[],
  readOnly = false,
): { readonly house: House; readonly clock: ManualClock; readonly written: unknown[] } {
  const clock = new ManualClock(1_700_000_000_000);
  const written: unknown[] = [];
  const house = {
    context: { clock, readOnly },
    topics: { openLogs: () => logs },
    checkpoints: { write: async (of: unknown) => void written.push(of) },
  };
  return { house: house as unknown as House, clock, written };
}

describe("the upkeep of a directory", () => {
  it("has Kafka's hours, and each of its tasks does its own", async () => {
    const log = logOf(0, 0);
    const { house, written } = houseOf([log]);
    const did: string[] = [];
    const does = (what: string) => async () => void did.push(what);
    const tasks = upkeepTasks({
      house,
      cleaner: { run: does("compaction") } as never,
      groups: { expireOffsets: does("offset expiry") } as never,
      transactions: { scan: does("transactions") } as never,
      checkLock: () => void did.push("lock"),
      withFiles: async (call) => {
        did.push("files");
        return await call();
      },
    });
    expect(tasks.map(({ name, firstMs, intervalMs }) => [name, firstMs, intervalMs])).toEqual([
      ["lock", 1000, 1000],
      ["retention", 30_000, 300_000],
      ["compaction", 15_000, 15_000],
      ["checkpoint", 60_000, 60_000],
      ["offset expiry", 600_000, 600_000],
      ["producer expiry", 600_000, 600_000],
      ["transactions", 10_000, 10_000],
    ]);
    for (const { run } of tasks) await run();
    // Retention takes its turn with the files; what the cleaner takes is its own affair.
    expect(did).toEqual(["lock", "files", "compaction", "offset expiry", "transactions"]);
    expect(log.calls).toEqual(["retention", "seals", `producers 1700000000000 ${DAY_MS}`]);
    expect(written).toEqual([[log]]);
  });

  it("deletes and seals in what is ours alone, and sums up what that gave", async () => {
    const logs = [logOf(1, 100), logOf(7, 7000, true), logOf(2, 50)];
    expect(await retain(houseOf(logs).house)).toEqual({ segmentsDeleted: 3, bytesReclaimed: 150 });
    expect(logs.map(({ calls }) => calls)).toEqual([["retention", "seals"], [], ["retention", "seals"]]);
  });

  it("touches nothing of a log that is only read, and goes no further than its signal lets it", async () => {
    const logs = [logOf(1, 100), logOf(2, 50)];
    expect(await retain(houseOf(logs, true).house)).toEqual({ segmentsDeleted: 0, bytesReclaimed: 0 });
    expect(logs[0]?.calls).toEqual([]);
    const stop = new AbortController();
    const reason = new Error("enough");
    const first = Object.assign(logs[0] as FakeLog, { sealUnsealed: async () => stop.abort(reason) });
    await expect(retain(houseOf([first, logs[1] as FakeLog]).house, stop.signal)).rejects.toBe(reason);
    expect(logs[1]?.calls).toEqual([]);
  });
});
