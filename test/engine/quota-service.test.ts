import { describe, expect, it } from "vitest";
import type { ClientQuota, FetchedPartition, FetchRequest, ProduceRequest } from "../../src/api/broker.ts";
import { UsageError } from "../../src/base/errors.ts";
import { QuotaService } from "../../src/engine/quota-service.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";
import type { Catalog } from "../../src/topic/catalog.ts";

class Books {
  list: readonly ClientQuota[];
  constructor(list: readonly ClientQuota[]) {
    this.list = list;
  }
  quotas(): readonly ClientQuota[] {
    return this.list;
  }
  async changeQuotas(next: (quotas: readonly ClientQuota[]) => readonly ClientQuota[]): Promise<void> {
    this.list = next(this.list);
  }
}

/** Work takes time here: the clock of a service whose every request takes so long. */
class WorkingClock extends ManualClock {
  workedMs = 0;
  override monotonic(): number {
    return super.monotonic() + this.workedMs;
  }
}

function bed(quotas: readonly ClientQuota[]): {
  readonly clock: WorkingClock;
  readonly service: QuotaService;
  readonly produced: Uint8Array[];
  readonly fetched: FetchRequest[];
  readonly told: object[];
  work: number;
  stored: Uint8Array<ArrayBuffer>;
} {
  const clock = new WorkingClock();
  const partition = (batches: Uint8Array<ArrayBuffer>): FetchedPartition => ({
    topic: "t",
    partition: 0,
    fault: null,
    watermarks: { logStartOffset: 0, lastStableOffset: 5, highWatermark: 5, logEndOffset: 5 },
    abortedTransactions: [{ producerId: 1n, firstOffset: 0 }],
    batches,
  });
  const made: ReturnType<typeof bed> = {
    clock,
    produced: [] as Uint8Array[],
    fetched: [] as FetchRequest[],
    told: [] as object[],
    work: 0,
    stored: new Uint8Array(100),
    service: new QuotaService({
      clock,
      emit: (type, fields) => void made.told.push({ type, ...fields }),
      catalog: new Books(quotas) as unknown as Catalog,
      produce: ({ batch }) => {
        clock.workedMs += made.work;
        made.produced.push(batch);
        return Promise.resolve({
          baseOffset: made.produced.length - 1,
          logAppendTime: -1,
          logStartOffset: 0,
          durability: "none",
          throttleTimeMs: 0,
        });
      },
      fetch: async (request, _signal, spent) => {
        clock.workedMs += made.work;
        spent.ms += made.work;
        made.fetched.push(request);
        return { partitions: [partition(made.stored)], throttleTimeMs: 0 };
      },
      nothing: () => [partition(new Uint8Array(0))],
    }),
  };
  return made;
}

const batch = (byteLength: number, fill = 0): ProduceRequest => ({
  topic: "t",
  partition: 0,
  batch: new Uint8Array(byteLength).fill(fill),
  acks: 1,
});
const wanted: FetchRequest = {
  partitions: [{ topic: "t", partition: 0, offset: 0, maxBytes: 1e6 }],
  minBytes: 1,
  maxWaitMs: 0,
  maxBytes: 1e6,
  isolation: "readCommitted",
};
const limited = (quota: ClientQuota["quota"], clientId: string | null = null): ClientQuota => ({ clientId, quota });

describe("the quota service", () => {
  it("answers at once with the time for which the client is muted", async () => {
    const { service } = bed([limited({ producerByteRate: 100 })]);
    // 150 bytes a second over ten; half as much again as allowed
    expect((await service.produce(batch(1500))).throttleTimeMs).toBe(5000);
    expect((await bed([limited({ producerByteRate: 100 })]).service.produce(batch(1000))).throttleTimeMs).toBe(0);
  });

  it("writes before it returns where nobody is muted, and keeps a copy where someone is", async () => {
    const { service, produced, clock } = bed([limited({ producerByteRate: 100 })]);
    void service.produce(batch(1500));
    expect(produced.length).toBe(1);
    const lent = batch(10, 7);
    const waiting = service.produce(lent);
    lent.batch.fill(9);
    expect(produced.length).toBe(1);
    await clock.advance(5000);
    await waiting;
    expect(produced[1]).toEqual(new Uint8Array(10).fill(7));
  });

  it("keeps the order of the calls, those that come while the line moves included", async () => {
    const { service, produced, clock } = bed([limited({ producerByteRate: 100 })]);
    for (let count = 0; count < 20; count += 1) {
      void service.produce(batch(500, count));
      if (count % 5 === 0) await clock.advance(700);
    }
    for (let round = 0; produced.length < 20 && round < 200; round += 1) await clock.advance(1000);
    expect(produced.map((each) => each[0])).toEqual(Array.from({ length: 20 }, (_, count) => count));
  });

  it("counts time for produce and fetch alike, and mutes for no longer than a second", async () => {
    const made = bed([limited({ requestPercentage: 10 })]);
    made.work = 3000;
    expect((await made.service.produce(batch(10))).throttleTimeMs).toBe(1000);
    const answer = await made.service.fetch(wanted);
    expect(answer.throttleTimeMs).toBe(1000);
    // Held back, though no byte quota is set: what is muted gets its records later.
    expect(answer.partitions[0]).toMatchObject({ batches: new Uint8Array(0), abortedTransactions: [], watermarks: { highWatermark: 5 } });
    made.work = 0;
    const muted = await made.service.fetch(wanted);
    expect(muted.throttleTimeMs).toBeGreaterThan(0);
    expect(made.fetched.length).toBe(1);
    const held = made.service.fetch({ ...wanted, maxWaitMs: 30_000 });
    for (let second = 0; made.fetched.length < 2 && second < 30; second += 1) await made.clock.advance(1000);
    await held;
    expect(made.fetched[1]?.maxWaitMs).toBeLessThan(30_000);
  });

  it("mutes a client's fetches and produces each for its own", async () => {
    const made = bed([limited({ producerByteRate: 100, consumerByteRate: 1000 }, "both")]);
    await made.service.produce({ ...batch(5000), clientId: "both" });
    expect((await made.service.fetch({ ...wanted, clientId: "both" })).partitions[0]?.batches.byteLength).toBe(100);
  });

  it("asks the log for no more than may still pass", async () => {
    const made = bed([limited({ consumerByteRate: 20 })]);
    await made.service.fetch(wanted);
    expect(made.fetched[0]).toMatchObject({ maxBytes: 200, minBytes: 1 });
    await made.service.fetch({ ...wanted, minBytes: 500 });
    expect(made.fetched[1]).toMatchObject({ maxBytes: 100, minBytes: 100 });
  });

  it("lets a waiting request go when its signal says so, and all when it closes", async () => {
    const { service, clock, produced } = bed([limited({ producerByteRate: 1, consumerByteRate: 1 })]);
    await service.produce(batch(5000));
    await service.fetch(wanted);
    const reason = new Error("enough");
    const controllers = [new AbortController(), new AbortController()];
    const waiting = [
      service.produce(batch(1), controllers[0]?.signal),
      service.fetch({ ...wanted, maxWaitMs: 1e6 }, controllers[1]?.signal),
    ];
    for (const controller of controllers) controller.abort(reason);
    for (const each of waiting) await expect(each).rejects.toBe(reason);
    await expect(service.produce(batch(1), AbortSignal.abort(reason))).rejects.toBe(reason);
    const others = [service.produce(batch(1)), service.fetch({ ...wanted, maxWaitMs: 1e6 })];
    const closed = new UsageError("LOG_CLOSED", "closed");
    service.close(closed);
    for (const each of others) await expect(each).rejects.toBe(closed);
    expect(clock.pendingCount).toBe(0);
    expect(produced.length).toBe(1);
  });

  it("costs a boolean where no quota is set, and again when the last one is gone and nobody waits", async () => {
    const { service, produced } = bed([]);
    expect(service.isActive).toBe(false);
    await service.alter("a", { producerByteRate: 1 });
    expect(service.isActive).toBe(true);
    void service.produce({ ...batch(100), clientId: "a" });
    void service.produce({ ...batch(100), clientId: "a" });
    expect(produced.length).toBe(1);
    await service.alter("a", { producerByteRate: null });
    expect(produced.length).toBe(2);
    expect(service.isActive).toBe(false);
  });

  it("is kept when it is set while the log closes, and holds nobody any more", async () => {
    const { service, produced } = bed([]);
    service.lift();
    await service.alter("a", { producerByteRate: 1 });
    expect(service.describe()).toEqual([{ clientId: "a", quota: { producerByteRate: 1 } }]);
    expect(service.isActive).toBe(false);
    for (let count = 0; count < 3; count += 1) void service.produce({ ...batch(100), clientId: "a" });
    expect(produced.length).toBe(3);
  });

  it("lets no request overtake those that waited, where the line takes more than one turn", async () => {
    const made = bed([limited({ producerByteRate: 1 })]);
    await made.service.produce(batch(100));
    for (let count = 1; count < 100; count += 1) void made.service.produce(batch(10, count));
    made.work = 1;
    const lifted = made.service.alter(null, { producerByteRate: null });
    for (let count = 100; count < 120; count += 1) {
      await settled();
      expect(made.service.isActive || made.produced.length >= count).toBe(true);
      void made.service.produce(batch(10, count));
    }
    await lifted;
    for (let round = 0; round < 200 && made.produced.length < 120; round += 1) await settled();
    expect(made.produced.slice(1).map((each) => each[0])).toEqual(Array.from({ length: 119 }, (_, count) => count + 1));
  });

  it("forgets clients that have been quiet, so that ever new names do not fill the memory", async () => {
    const { service, clock } = bed([limited({ producerByteRate: 1e9 })]);
    for (let round = 0; round < 20; round += 1) {
      for (let count = 0; count < 1000; count += 1) void service.produce({ ...batch(1), clientId: `client ${round}-${count}` });
      await clock.advance(11_000);
    }
    expect(service.tenantCount).toBeLessThan(3000);
  });

  it("tells of a client that is throttled again and again once, and again when it was let alone for eleven seconds", async () => {
    const { service, clock, told } = bed([limited({ producerByteRate: 100 }, "a")]);
    await service.produce({ ...batch(1500), clientId: "a" });
    const event = { type: "quota.throttled", clientId: "a", quota: "producerByteRate", limit: 100, throttleTimeMs: 5000 };
    expect(told).toEqual([event]);
    await clock.advance(5000);
    await service.produce({ ...batch(1500), clientId: "a" });
    expect(told).toHaveLength(1);
    await clock.advance(60_000);
    await service.produce({ ...batch(1500), clientId: "a" });
    expect(told).toEqual([event, event]);
    await clock.advance(5000 + 11_000 - 1);
    await service.produce({ ...batch(1500), clientId: "a" });
    expect(told).toHaveLength(2);
  });

  it("counts for how long each quota muted whom, and how many are muted now", async () => {
    const { service, clock } = bed([limited({ producerByteRate: 100, consumerByteRate: 5 })]);
    for (const clientId of ["a", "b", undefined]) await service.produce({ ...batch(1500), clientId });
    await service.fetch(wanted);
    const told = (): number[] =>
      ["producerByteRate", "consumerByteRate", "requestPercentage"].flatMap((key) => {
        const metrics = service.metrics();
        return [metrics[`quota.${key}.throttledMs`] as number, metrics[`quota.${key}.throttledClients`] as number];
      });
    expect(told()).toEqual([15_000, 3, 10_000, 1, 0, 0]);
    await clock.advance(4999);
    expect(told()).toEqual([15_000, 3, 10_000, 1, 0, 0]);
    await clock.advance(1);
    expect(told()).toEqual([15_000, 0, 10_000, 1, 0, 0]);
  });

  it("answers the fetch of a muted client that would not wait empty and at once, and asks the log for nothing", async () => {
    const { service, fetched, clock } = bed([limited({ consumerByteRate: 5 })]);
    expect((await service.fetch(wanted)).throttleTimeMs).toBe(10_000);
    await clock.advance(4000);
    const answer = await service.fetch(wanted);
    expect([answer.throttleTimeMs, answer.partitions[0]?.batches.byteLength, fetched.length]).toEqual([6000, 0, 1]);
    // One that waits for less than that is answered at its own time.
    const waiting = service.fetch({ ...wanted, maxWaitMs: 1000 });
    await clock.advance(1000);
    expect((await waiting).throttleTimeMs).toBe(5000);
    expect(fetched).toHaveLength(1);
  });

  it("takes from a fetch's wait what it was held, and leaves it at least one byte to ask for", async () => {
    const { service, fetched, clock } = bed([limited({ consumerByteRate: 5 })]);
    await service.fetch(wanted);
    const held = service.fetch({ ...wanted, maxWaitMs: 30_000 });
    await clock.advance(10_000);
    await held;
    expect(fetched[1]).toMatchObject({ maxWaitMs: 20_000, maxBytes: 1, minBytes: 1 });
  });

  it("hears those whose limits have changed at once, and holds the others as before", async () => {
    const { service, produced } = bed([limited({ producerByteRate: 100 }, "a"), limited({ producerByteRate: 100 }, "b")]);
    for (const clientId of ["a", "b"]) {
      await service.produce({ ...batch(1500), clientId });
      void service.produce({ ...batch(1), clientId });
    }
    expect(produced).toHaveLength(2);
    await service.alter("a", { producerByteRate: 200 });
    expect(produced).toHaveLength(3);
    await service.alter("c", { producerByteRate: 1 });
    expect(produced).toHaveLength(3);
    await service.alter("b", { requestPercentage: 50 });
    expect(produced).toHaveLength(4);
  });

  it("keeps those that are muted or have used something lately, however many come", async () => {
    const { service, clock, produced } = bed([limited({ producerByteRate: 1000 })]);
    await service.produce({ ...batch(100_000), clientId: "muted" });
    await clock.advance(12_000);
    for (let count = 0; count < 1100; count += 1) void service.produce({ ...batch(1), clientId: `client ${count}` });
    expect(service.tenantCount).toBe(1101);
    void service.produce({ ...batch(1), clientId: "muted" });
    expect(produced).toHaveLength(1101);
  });

  it("goes by the log's own answer where nothing was too much", async () => {
    const { service } = bed([limited({ producerByteRate: 1000 })]);
    const first = service.produce(batch(10));
    expect(await first).toMatchObject({ baseOffset: 0, durability: "none", throttleTimeMs: 0 });
    service.close(new Error("closed"));
    expect(service.tenantCount).toBe(0);
  });
});
