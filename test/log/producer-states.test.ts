/** What a partition knows of its producers, held against a slow twin that works it out anew from every batch in the log. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OdradekError } from "../../src/base/errors.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { expectTwin } from "./expect-twin.ts";
import { created, opened, type Rig, type RigOptions } from "./log-rig.ts";
import { type Answer, allBatches, type Logged, type Sent, sendAs, twinAnswer, twinProducer, twinStableOffset } from "./producer-rig.ts";

const OPTIONS: RigOptions = {
  config: { segmentBytes: 1200, indexIntervalBytes: 100 },
  // The recovery point moves within segments too.
  recoveryPointIntervalBytes: 400,
};
const REMEMBERED = 5;
const SEQUENCES = 2 ** 31;

type Step =
  | {
      readonly kind: "send";
      readonly producer: number;
      readonly epoch: "same" | "next" | "stale";
      readonly sequence: "next" | "zero" | "gap" | "again";
      readonly back: number;
      readonly recordCount: number;
      readonly transactional: boolean;
    }
  | { readonly kind: "end"; readonly producer: number; readonly commit: boolean; readonly coordinatorEpoch: number; readonly bump: boolean }
  | { readonly kind: "flush" }
  | { readonly kind: "roll" }
  | { readonly kind: "rest" }
  | { readonly kind: "reopen"; readonly harm: Harm | null }
  | { readonly kind: "crash"; readonly harm: Harm | null; readonly seed: number; readonly death: "process" | "power" };

/** What befalls one of the derived files while nobody looks. */
interface Harm {
  readonly file: number;
  /** null: it goes. */
  readonly bit: number | null;
}

/** Mostly what keeps a history going, else one of the others. */
function often<Choice extends string>(usual: Choice, ...others: Choice[]): fc.Arbitrary<Choice> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) });
}

const producer = fc.integer({ min: 0, max: 3 });
const harm = fc.option(fc.record({ file: fc.nat(), bit: fc.option(fc.nat()) }), { freq: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      producer,
      epoch: often<"same" | "next" | "stale">("same", "next", "stale"),
      sequence: often<"next" | "zero" | "gap" | "again">("next", "again", "again", "zero", "gap"),
      back: fc.integer({ min: 0, max: 6 }),
      recordCount: fc.integer({ min: 1, max: 3 }),
      transactional: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      producer,
      commit: fc.boolean(),
      coordinatorEpoch: fc.integer({ min: 0, max: 2 }),
      bump: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "flush" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "roll" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "rest" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), harm }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("crash" as const),
      harm,
      seed: fc.nat(),
      death: fc.constantFrom("process" as const, "power" as const),
    }),
  },
);

/** Ids beyond 2^53 are as good as others; the last one's sequences go round soon. */
const IDS = [7n, 2n ** 53n + 1n, 2n ** 63n - 1n, 40n];
const FIRST_SEQUENCES = [0, 0, 5, SEQUENCES - 2];

function sentOf(log: readonly Logged[], one: Step & { kind: "send" }): Sent {
  const producerId = IDS[one.producer] as bigint;
  const known = twinProducer(log, producerId);
  const epoch = known?.producerEpoch ?? 1;
  const newest = known?.batches.at(-1);
  const again = known?.batches.at(-1 - one.back);
  const next = newest === undefined ? (known === null ? (FIRST_SEQUENCES[one.producer] as number) : 0) : (newest.last + 1) % SEQUENCES;
  const producerEpoch = one.epoch === "same" ? epoch : one.epoch === "next" ? epoch + 1 : epoch - 1;
  const common = { producerId, producerEpoch, transactional: one.transactional };
  if (one.sequence === "again" && again !== undefined)
    return { ...common, baseSequence: again.first, recordCount: ((again.last - again.first + SEQUENCES) % SEQUENCES) + 1 };
  const baseSequence = one.sequence === "zero" ? 0 : one.sequence === "gap" ? (next + 1 + one.back) % SEQUENCES : next;
  return { ...common, baseSequence, recordCount: one.recordCount };
}

async function answerOf(log: PartitionLog, sent: Sent): Promise<Answer> {
  try {
    const { isDuplicate, baseOffset, byteLength } = await sendAs(log, sent);
    if (!isDuplicate) return "written";
    expect(byteLength).toBe(0);
    return { duplicateOf: baseOffset };
  } catch (error) {
    if (error instanceof OdradekError) return error.code as Answer;
    throw error;
  }
}

const WRONG = /^(txnindex|snapshot)\.|failed/;

async function doHarm(disk: CrashStorage, { file, bit }: Harm): Promise<boolean> {
  const names = (await disk.list("orders-0")).map(({ name }) => `orders-0/${name}`).filter((name) => /(snapshot|txnindex)$/.test(name));
  const name = names[file % Math.max(1, names.length)];
  if (name === undefined) return false;
  if (bit === null) await disk.remove(name);
  else {
    const found = await disk.open(name, { create: "no" });
    const at = bit % (8 * found.byteLength());
    const byte = new Uint8Array(1);
    found.readAt(byte, at >>> 3);
    found.writeAt(new Uint8Array([(byte[0] as number) ^ (1 << (at & 7))]), at >>> 3);
    await found.sync();
    await found.close();
  }
  await disk.syncDirectory("orders-0");
  return true;
}

/** A run of one history; `remembered`: how many batches of each producer are known since the last opening, as far as we can say. */
class World {
  disk: CrashStorage;
  log!: PartitionLog;
  events: Rig["events"] = [];
  isHarmed = false;
  /** Every batch that is known to stand in the log. */
  batches: Logged[] = [];
  /** Offsets below this were there when the log was opened: of them a snapshot may have kept only each producer's last. */
  openedAt = 0;
  durableEnd = 0;

  /** Flushes are slow, so that a roll or a moving recovery point is met halfway. */
  constructor(chance: SeededRandom) {
    const latency = async (call: string): Promise<void> => {
      for (let turns = Math.floor(chance.next() * (call === "sync" ? 60 : 4)); turns > 0; turns -= 1) await null;
    };
    this.disk = crashStorage({ sectorByteLength: 64, latency });
  }

  async begin(): Promise<void> {
    const made = await created(this.disk, OPTIONS);
    this.log = made.log;
    this.events = made.events;
  }

  async reopen(cleanShutdown: boolean, harmed: Harm | null): Promise<void> {
    // Without harm nothing is found wrong.
    if (!this.isHarmed) expect(this.events.filter(({ type }) => WRONG.test(type))).toEqual([]);
    this.isHarmed = harmed !== null && (await doHarm(this.disk, harmed));
    const made = await opened(this.disk, { ...OPTIONS, cleanShutdown });
    this.log = made.log;
    this.events = made.events;
    expect(this.log.failure).toBeNull();
    const end = this.log.watermarks.logEndOffset;
    expect(end).toBeGreaterThanOrEqual(this.durableEnd);
    const found = await allBatches(this.log);
    expect(found).toEqual(this.batches.filter((batch) => batch.baseOffset < end));
    this.batches = found;
    this.openedAt = end;
    this.durableEnd = end;
  }

  async send(one: Step & { kind: "send" }): Promise<void> {
    const sent = sentOf(this.batches, one);
    if (sent.producerEpoch < 0) return;
    const answer = await answerOf(this.log, sent);
    const known = twinProducer(this.batches, sent.producerId);
    const since = known?.batches.filter((batch) => batch.baseOffset >= this.openedAt).length ?? 0;
    // At least what came since the opening and the last one before, at most five.
    const likely = [...new Set([Math.min(REMEMBERED, since + 1), REMEMBERED])].map((remembered) =>
      twinAnswer(this.batches, sent, remembered),
    );
    expect(likely).toContainEqual(answer);
    if (answer === "written") this.note(sent, null);
  }

  note(sent: Sent, marker: Logged["marker"]): void {
    const { producerId, producerEpoch, baseSequence, transactional, recordCount } = sent;
    const lastOffset = this.log.watermarks.logEndOffset - 1;
    const where = { baseOffset: lastOffset - recordCount + 1, lastOffset, timestamp: 1_700_000_000_000 };
    this.batches.push({ ...where, producerId, producerEpoch, baseSequence, transactional, marker });
  }

  async end(one: Step & { kind: "end" }): Promise<void> {
    const producerId = IDS[one.producer] as bigint;
    const known = twinProducer(this.batches, producerId);
    const producerEpoch = (known?.producerEpoch ?? 1) + (one.bump ? 1 : 0);
    const { commit, coordinatorEpoch } = one;
    const written = this.log.appendMarker({ producerId, producerEpoch, coordinatorEpoch, commit });
    if (known !== null && coordinatorEpoch < known.coordinatorEpoch) {
      await expect(written).rejects.toMatchObject({ code: "TRANSACTION_COORDINATOR_FENCED" });
      return;
    }
    expect(await written).toMatchObject({ isDuplicate: false, byteLength: 78 });
    const sent = { producerId, producerEpoch, baseSequence: -1, recordCount: 1, transactional: true };
    this.note(sent, { commit, coordinatorEpoch });
  }

  /** What may be asked at any moment: nothing of a transaction is stable whose marker cannot be read yet. */
  look(): void {
    const { highWatermark, lastStableOffset, logEndOffset } = this.log.watermarks;
    const readable = this.batches.filter(({ lastOffset }) => lastOffset < highWatermark);
    const written = twinStableOffset(this.batches, logEndOffset);
    expect(lastStableOffset).toBe(Math.min(highWatermark, twinStableOffset(readable, highWatermark), written));
  }

  /** All that can be asked, against the twin. */
  async check(): Promise<void> {
    await this.log.flush();
    this.durableEnd = this.log.watermarks.logEndOffset;
    await expectTwin(this.log, this.batches);
  }
}

async function run(steps: readonly Step[], seed: number): Promise<void> {
  const world = new World(new SeededRandom(seed));
  await world.begin();
  for (const one of steps) {
    if (one.kind === "send") await world.send(one);
    else if (one.kind === "end") await world.end(one);
    else if (one.kind === "flush") {
      await world.log.flush();
      world.durableEnd = world.log.watermarks.logEndOffset;
    } else if (one.kind === "rest") {
      // Everything that follows appends has come to its end.
      await world.log.flush();
      await world.log.sealUnsealed();
      world.durableEnd = world.log.watermarks.logEndOffset;
    } else if (one.kind === "roll") {
      // Retention by a size of nothing would delete as well: a segment's worth of batches rolls it.
      for (let count = 0; count < 12; count += 1)
        await world.end({ kind: "end", producer: 3, commit: true, coordinatorEpoch: 9, bump: false });
    } else if (one.kind === "reopen") {
      await world.log.close(true);
      await world.reopen(true, one.harm);
    } else {
      // Whatever is under way at this moment: a roll being settled, a recovery point on its way.
      world.disk = world.disk.crash(new SeededRandom(one.seed), { kind: one.death });
      await world.reopen(false, one.harm);
    }
    world.look();
    if (one.kind === "crash" || one.kind === "reopen") await world.check();
  }
  await world.check();
  await world.log.close(true);
  await world.reopen(true, null);
  await world.check();
  await world.log.close(false);
}

describe("the producers of a partition", () => {
  it("are checked by Kafka's rules, and known again after rolls, clean closes and crashes, with their transactions, whatever befalls the files that say so", async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), fc.nat(), run), {
      ...(process.env["ODRADEK_SEED"] === undefined ? {} : { seed: Number(process.env["ODRADEK_SEED"]) }),
      numRuns: Number(process.env["ODRADEK_RUNS"] ?? 40),
      interruptAfterTimeLimit: 100_000,
    });
  }, 200_000);

  it("keeps aborted transactions when the segment that a recovery point has just left was not sealed, and its index is gone", async () => {
    // The point had come to the segment's very end, the next one was made, and the process died before the seal: recovery began behind
    // it, nothing told that a .txnindex had been there, and an aborted record passed for a committed one.
    const send = { kind: "send", producer: 0, sequence: "next", back: 0, recordCount: 1, transactional: true } as const;
    const abort = { kind: "end", producer: 0, commit: false, coordinatorEpoch: 0, bump: false } as const;
    const crash = { kind: "crash", harm: { file: 0, bit: null }, seed: 0, death: "process" } as const;
    const before: Step[] = [
      { ...send, epoch: "same" },
      abort,
      { ...send, epoch: "next", sequence: "again", back: 1 },
      abort,
      { ...send, epoch: "same" },
    ];
    // How long each flush takes decides whether the point moves in between.
    for (let seed = 0; seed < 8; seed += 1) await run([...before, { kind: "roll" }, crash, { ...send, epoch: "next" }], seed);
  });
});
