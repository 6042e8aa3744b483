/** C1 and C10: what an acknowledgement says it outlives is there after that; in every combination of acks, topic and driver. */
import { describe, expect, it } from "vitest";
import type { Acks, Durability, Odradek, StorageDriver, TopicConfig } from "../../src/api/index.ts";
import type { Clock } from "../../src/base/clock.ts";
import { memory } from "../../src/index.ts";
import { type CrashStorage, crashStorage, ManualClock, SeededRandom } from "../../src/testing/index.ts";
import { heard, openLog, valuesIn } from "./support.ts";

const LEVELS: Readonly<Record<Durability, number>> = { none: 0, process: 1, power: 2 };
const PARTITION = { topic: "orders", partition: 0 };

/** A driver that promises less than it holds: what it declares is all that may be told. */
function declaring(driver: CrashStorage, durability: Durability): StorageDriver {
  return new Proxy(driver, {
    get(target, name) {
      if (name === "durability") return durability;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  }) as unknown as StorageDriver;
}

/** A driver whose flushes of logs do nothing, and say that they did: the planted liar. */
function lying(driver: CrashStorage): StorageDriver {
  return new Proxy(driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "open") return value.bind(target);
      return async (path: string, options: never) => {
        const file = await target.open(path, options);
        if (!path.endsWith(".log")) return file;
        return new Proxy(file, {
          get(inner, field) {
            if (field === "sync") return () => Promise.resolve();
            const found: unknown = Reflect.get(inner, field, inner);
            return typeof found === "function" ? found.bind(inner) : found;
          },
        });
      };
    },
  }) as unknown as StorageDriver;
}

interface Claim {
  readonly value: string;
  readonly durability: Durability;
}

/** Every claim that a disk, found after the loss of power or of the process, does not keep. */
async function brokenClaims(disk: CrashStorage, claims: readonly Claim[], outlives: Durability): Promise<Claim[]> {
  const log = await openLog(disk);
  const held = new Set(await valuesIn(log, "orders"));
  await log.close();
  return claims.filter(({ value, durability }) => LEVELS[durability] >= LEVELS[outlives] && !held.has(value));
}

/** After some losses of power now, and after the death of the process now. */
async function broken(disk: CrashStorage, claims: readonly Claim[], powerLosses = 4): Promise<Claim[]> {
  const found: Claim[] = [];
  // All at once: the disk goes on while they are looked at.
  for (const image of [...disk.enumerateCrashes(powerLosses)]) found.push(...(await brokenClaims(image, claims, "power")));
  found.push(...(await brokenClaims(disk.crash(new SeededRandom(1), { kind: "process" }), claims, "process")));
  return found;
}

async function sends(log: Odradek, acks: Acks, values: readonly string[]): Promise<Claim[]> {
  const producer = log.producer({ acks });
  const claims: Claim[] = [];
  for (const value of values) {
    const { durability } = await producer.send({ ...PARTITION, key: "k", value });
    claims.push({ value, durability });
  }
  return claims;
}

const TOPICS: readonly (readonly [name: string, config: Partial<TopicConfig>])[] = [
  ["sync", {}],
  ["sync, with flushMessages and flushMs that only os topics heed", { flushMessages: 1000, flushMs: 1_000_000 }],
  ["os", { durability: "os" }],
  ["os, flushed for each record", { durability: "os", flushMessages: 1 }],
  ["os, flushed for every third", { durability: "os", flushMessages: 3 }],
  ["os, flushed at once by time", { durability: "os", flushMs: 0 }],
  ["sync and compacted", { cleanupPolicy: "compact" }],
  ["os and compacted", { cleanupPolicy: "compact", durability: "os" }],
  ["sync in small segments", { segmentBytes: 200 }],
  ["os in small segments", { durability: "os", segmentBytes: 200 }],
];

const DRIVERS: readonly Durability[] = ["power", "process", "none"];
const ACKS: readonly Acks[] = ["all", 1, 0];

/** The least of what acks, topic and driver give. */
function promised(acks: Acks, config: Partial<TopicConfig>, driver: Durability): Durability {
  const levels: Durability[] = [
    driver,
    acks === "all" ? "power" : acks === 1 ? "process" : "none",
    config.durability === "os" ? "process" : "power",
  ];
  return levels.reduce((least, each) => (LEVELS[each] < LEVELS[least] ? each : least));
}

const values = Array.from({ length: 5 }, (_, count) => `value ${count}`);
const MATRIX = TOPICS.flatMap(([name, config]) => ACKS.flatMap((acks) => DRIVERS.map((driver) => ({ name, config, acks, driver }))));

describe("C1 durable acknowledgement, C10 weaker levels", () => {
  it.each(MATRIX)(
    "acks $acks on a topic that is $name, on a driver of $driver: claims no more than is kept",
    async ({ config, acks, driver }) => {
      const disk = crashStorage();
      const log = await openLog(declaring(disk, driver));
      await log.createTopic("orders", { ...config });
      const claims = await sends(log, acks, values);
      expect(new Set(claims.map(({ durability }) => durability))).toEqual(new Set([promised(acks, config, driver)]));
      // One key: of a compacted topic the newest is all that must be there, and no cleaner has run.
      expect(await broken(disk, claims)).toEqual([]);
    },
  );

  it.each(ACKS)("acks %j in memory: nothing is claimed", async (acks) => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    for (const { durability } of await sends(log, acks, ["a", "b"])) expect(durability).toBe("none");
  });

  it("is found out, where a driver lies about its flushes", async () => {
    const disk = crashStorage();
    const log = await openLog(lying(disk));
    await log.createTopic("orders");
    const claims = await sends(log, "all", values);
    expect(claims.every(({ durability }) => durability === "power")).toBe(true);
    expect((await broken(disk, claims)).length).toBeGreaterThan(0);
  });

  it("is found out, where an acknowledgement of an os topic is taken for one of a sync topic", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders", { durability: "os" });
    const claims = (await sends(log, "all", values)).map(({ value }): Claim => ({ value, durability: "power" }));
    expect((await broken(disk, claims)).length).toBeGreaterThan(0);
  });

  it("holds for batches and for many sends at once, across partitions", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders", { partitions: 3 });
    const producer = log.producer();
    const sent = await Promise.all(
      Array.from({ length: 30 }, async (_, count): Promise<Claim> => {
        const { durability } = await producer.send({ topic: "orders", key: `k${count}`, value: `one ${count}` });
        return { value: `one ${count}`, durability };
      }),
    );
    const batch = await producer.sendBatch(values.map((value, count) => ({ topic: "orders", partition: count % 3, value })));
    const claims = [...sent, ...batch.map(({ durability }, count) => ({ value: values[count] as string, durability }))];
    expect(new Set(claims.map(({ durability }) => durability))).toEqual(new Set(["power"]));
    expect(await broken(disk, claims)).toEqual([]);
  });
});

describe("claims beside what else the log does", () => {
  it.each(["sync", "os"] as const)("are kept by a compaction of a %s topic, in the middle of it and after", async (durability) => {
    const disk = crashStorage({ latency: () => new Promise((resolve) => setImmediate(resolve)) });
    const { of, onEvent } = heard();
    const log = await openLog(disk, { onEvent });
    await log.createTopic("orders", { cleanupPolicy: "compact", durability, segmentBytes: 400, minCleanableDirtyRatio: 0 });
    const producer = log.producer();
    const claims = new Map<string, Claim>();
    for (let count = 0; count < 24; count += 1) {
      const [key, value] = [`k${count % 5}`, `value ${count}`];
      claims.set(key, { value, durability: (await producer.send({ ...PARTITION, key, value })).durability });
    }
    const newest = [...claims.values()];
    let isOver = false;
    const compacting = log.maintain().finally(() => {
      isOver = true;
    });
    const images: CrashStorage[] = [];
    for (let turn = 0; !isOver; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (turn % 5 === 0) images.push(...disk.enumerateCrashes(2));
    }
    await compacting;
    expect(images.length).toBeGreaterThan(10);
    for (const image of images) expect(await brokenClaims(image, newest, "power")).toEqual([]);
    expect(of("log.compacted").length).toBeGreaterThan(0);
    expect(await broken(disk, newest)).toEqual([]);
  });

  it("are those of a power loss for all that a transaction sent, on an os topic too", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders", { durability: "os" });
    const producer = log.producer({ transactionalId: "t" });
    await producer.transaction(async (tx) => {
      await tx.sendBatch(values.map((value) => ({ ...PARTITION, value })));
    });
    expect(
      await broken(
        disk,
        values.map((value) => ({ value, durability: "power" })),
      ),
    ).toEqual([]);
  });

  it("hold for a commit that is durable, and for every commit where the process dies", async () => {
    const disk = crashStorage();
    const log = await openLog(disk);
    await log.createTopic("orders");
    await sends(log, "all", values);
    const consumer = log.consumer({ groupId: "g", enableAutoCommit: false });
    await consumer.subscribe(["orders"]);
    const at = (nextOffset: number): { topic: string; partition: number; nextOffset: number }[] => [{ ...PARTITION, nextOffset }];
    await consumer.poll({ timeoutMs: 5000 });
    await consumer.commit(at(2), { durable: true });
    await consumer.commit(at(3));
    const committed = async (image: CrashStorage): Promise<number> => {
      const after = await openLog(image);
      const { offsets } = await after.describeGroup("g");
      await after.close();
      return offsets[0]?.nextOffset ?? 0;
    };
    for (const image of [...disk.enumerateCrashes(6)]) expect(await committed(image)).toBeGreaterThanOrEqual(2);
    expect(await committed(disk.crash(new SeededRandom(1), { kind: "process" }))).toBe(3);
  });
});

describe("the flushes of an os topic", () => {
  async function bed(config: Partial<TopicConfig>): Promise<{ disk: CrashStorage; log: Odradek; clock: ManualClock }> {
    const clock = new ManualClock();
    const disk = crashStorage({ clock });
    const log = await openLog(disk, { clock: clock as Clock });
    await log.createTopic("orders", { durability: "os", ...config });
    return { disk, log, clock };
  }

  /** Values that every loss of power now would leave. */
  async function durable(disk: CrashStorage): Promise<unknown[]> {
    let least: unknown[] | null = null;
    for (const image of [...disk.enumerateCrashes(8)]) {
      const log = await openLog(image);
      const held = await valuesIn(log, "orders");
      await log.close();
      if (least === null || held.length < least.length) least = held;
    }
    return least ?? [];
  }

  async function pass(clock: ManualClock, ms: number): Promise<void> {
    await clock.advance(ms);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  it("come after flushMessages records, and not before", async () => {
    const { disk, log, clock } = await bed({ flushMessages: 3 });
    await sends(log, "all", ["a", "b"]);
    await pass(clock, 0);
    expect(await durable(disk)).toEqual([]);
    await sends(log, "all", ["c"]);
    await pass(clock, 0);
    expect(await durable(disk)).toEqual(["a", "b", "c"]);
    await sends(log, "all", ["d", "e"]);
    await pass(clock, 0);
    expect(await durable(disk)).toEqual(["a", "b", "c"]);
  });

  it("come flushMs after the oldest unflushed record, and again for those that follow", async () => {
    const { disk, log, clock } = await bed({ flushMs: 1000 });
    await sends(log, 1, ["a"]);
    await pass(clock, 600);
    await sends(log, "all", ["b"]);
    await pass(clock, 399);
    expect(await durable(disk)).toEqual([]);
    await pass(clock, 2);
    expect(await durable(disk)).toEqual(["a", "b"]);
    await sends(log, "all", ["c"]);
    await pass(clock, 500);
    expect(await durable(disk)).toEqual(["a", "b"]);
    await pass(clock, 600);
    expect(await durable(disk)).toEqual(["a", "b", "c"]);
  });

  it("do not come by themselves where neither is set", async () => {
    const { disk, log, clock } = await bed({});
    await sends(log, "all", ["a"]);
    await pass(clock, 3_600_000);
    expect(await durable(disk)).toEqual([]);
  });

  it("go by new settings at once, also for what was written before", async () => {
    const { disk, log, clock } = await bed({});
    await sends(log, "all", ["a"]);
    await log.alterTopic("orders", { flushMs: 1000 });
    await pass(clock, 1001);
    expect(await durable(disk)).toEqual(["a"]);
    await log.alterTopic("orders", { flushMs: 1_000_000 });
    await sends(log, "all", ["b"]);
    await log.alterTopic("orders", { flushMs: 500 });
    await pass(clock, 501);
    expect(await durable(disk)).toEqual(["a", "b"]);
    await log.alterTopic("orders", { flushMs: null });
    await sends(log, "all", ["c", "d"]);
    await log.alterTopic("orders", { flushMessages: 2 });
    await pass(clock, 0);
    expect(await durable(disk)).toEqual(["a", "b", "c", "d"]);
  });

  it("come before alterTopic resolves, where the topic becomes sync", async () => {
    const { disk, log } = await bed({});
    const weak = await sends(log, "all", ["a", "b"]);
    expect(weak.map(({ durability }) => durability)).toEqual(["process", "process"]);
    await log.alterTopic("orders", { durability: "sync" });
    expect(await durable(disk)).toEqual(["a", "b"]);
    expect(await sends(log, "all", ["c"])).toEqual([{ value: "c", durability: "power" }]);
    expect(await durable(disk)).toEqual(["a", "b", "c"]);
    await log.alterTopic("orders", { durability: null });
    await log.alterTopic("orders", { durability: "os" });
    expect(await sends(log, "all", ["d"])).toEqual([{ value: "d", durability: "process" }]);
  });
});

describe("a topic whose durability changes while it is written", () => {
  it("keeps every claim, shows what it acknowledged, and never shows less than it did", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = new SeededRandom(seed);
      const disk = crashStorage();
      const log = await openLog(disk);
      await log.createTopic("orders", { durability: seed % 2 === 0 ? "os" : "sync" });
      const producers = { all: log.producer(), one: log.producer({ acks: 1 }) };
      const claims: Claim[] = [];
      const underWay: Promise<unknown>[] = [];
      let shown = 0;
      for (let step = 0; step < 60; step += 1) {
        const value = `value ${step}`;
        if (random.next() < 0.2) underWay.push(log.alterTopic("orders", { durability: random.next() < 0.5 ? "os" : "sync" }));
        underWay.push(
          (random.next() < 0.7 ? producers.all : producers.one).send({ ...PARTITION, value }).then(async ({ durability, offset }) => {
            claims.push({ value, durability });
            if (durability === "power") expect((await log.read({ ...PARTITION, offset }))?.value).toBe(value);
          }),
        );
        if (random.next() < 0.3) await new Promise((resolve) => setImmediate(resolve));
        const { highWatermark = 0 } = (await log.describeTopic("orders")).partitions[0] ?? {};
        expect(highWatermark).toBeGreaterThanOrEqual(shown);
        shown = highWatermark;
      }
      if (seed % 3 === 0) await Promise.all(underWay);
      const told = [...claims];
      expect(await broken(disk, told, 4), `seed ${seed}`).toEqual([]);
      await Promise.allSettled(underWay);
    }
  });

  // A topic held more unflushed bytes as "os" than a "sync" topic ever may; a loss of power tore them after alterTopic had written "sync"
  // into the catalogue, and recovery took the tear for damage. What is unflushed is flushed before the catalogue says "sync".
  it("is not taken for a damaged one by the open that follows a loss of power", async () => {
    const make = async (): Promise<{ disk: CrashStorage; log: Odradek; altering: Promise<unknown> }> => {
      const disk = crashStorage({ latency: () => new Promise((resolve) => setImmediate(resolve)) });
      const log = await openLog(disk, { maxUnflushedBytes: 4096 });
      await log.createTopic("orders", { durability: "os", maxMessageBytes: 2000 });
      const padded = Array.from({ length: 16 }, (_, count) => `${count}`.padEnd(1000));
      await sends(log, "all", padded);
      return { disk, log, altering: log.alterTopic("orders", { durability: "sync" }).catch(() => {}) };
    };
    for (let turns = 0; turns < 40; turns += 2) {
      const { disk, log, altering } = await make();
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      for (let seed = 1; seed <= 16; seed += 1) {
        const image = disk.crash(new SeededRandom(seed), { survival: "scatter" });
        const after = await openLog(image, { maxUnflushedBytes: 4096 });
        // A partition that recovery takes for a damaged one refuses it.
        await after.producer().send({ ...PARTITION, value: "it takes appends" });
        await after.close();
      }
      await altering;
      await log.close().catch(() => {});
    }
  });
});
