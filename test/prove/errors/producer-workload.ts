/** Idempotent and transactional producers whose transactions cross: sequences, markers, snapshots and transaction indexes. */
import { isDeepStrictEqual } from "node:util";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { NOW_MS } from "../../log/log-rig.ts";
import {
  allBatches,
  committedBatches,
  type Logged,
  producerBatch,
  type Sent,
  twinAborted,
  twinCommitted,
  twinIds,
  twinProducer,
  twinStableOffset,
} from "../../log/producer-rig.ts";
import { Broken, type LogDay } from "./log-day.ts";
import type { Workload } from "./workload.ts";

interface Acknowledged {
  readonly baseOffset: number;
  readonly producerId: bigint;
  /** -1: a marker. */
  readonly baseSequence: number;
}

interface Producers {
  readonly acknowledged: Acknowledged[];
  promised: number;
  /** A producer that was refused begins anew, as a producer does whose batch has failed. */
  readonly epochs: Map<bigint, number>;
  readonly nextSequences: Map<bigint, number>;
}

async function send(day: LogDay, state: Producers, producerId: bigint, transactional: boolean, recordCount = 1): Promise<boolean> {
  const log = day.log as PartitionLog;
  const producerEpoch = state.epochs.get(producerId) ?? 0;
  const baseSequence = state.nextSequences.get(producerId) ?? 0;
  const sent: Sent = { producerId, producerEpoch, baseSequence, recordCount, transactional };
  try {
    const { baseOffset, lastOffset } = await log.append(producerBatch(sent), { recordCount, maxTimestamp: NOW_MS });
    state.nextSequences.set(producerId, baseSequence + recordCount);
    await flushed(log, state, { baseOffset, producerId, baseSequence }, lastOffset);
    return true;
  } catch (error) {
    state.epochs.set(producerId, producerEpoch + 1);
    state.nextSequences.set(producerId, 0);
    day.refused("append", error);
    return false;
  }
}

async function end(day: LogDay, state: Producers, producerId: bigint, commit: boolean): Promise<void> {
  const log = day.log as PartitionLog;
  const producerEpoch = state.epochs.get(producerId) ?? 0;
  await day.attempt("marker", async () => {
    const { baseOffset, lastOffset } = await log.appendMarker({ producerId, producerEpoch, coordinatorEpoch: 0, commit });
    await flushed(log, state, { baseOffset, producerId, baseSequence: -1 }, lastOffset);
  });
}

async function flushed(log: PartitionLog, state: Producers, batch: Acknowledged, lastOffset: number): Promise<void> {
  await log.flushed(lastOffset + 1);
  state.acknowledged.push(batch);
  state.promised = Math.max(state.promised, lastOffset + 1);
}

async function work(day: LogDay, state: Producers, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await send(day, state, 1n, true);
    if (round % 2 === 0) await send(day, state, 2n, true);
    await send(day, state, 3n, false, 2);
    await end(day, state, round % 2 === 0 ? 1n : 2n, round % 3 === 0);
    await day.reviveIfFailed();
  }
}

/** What is wrong with what the log says of its producers, by the batches that it holds; null: nothing. */
async function twinBroken(log: PartitionLog, batches: readonly Logged[]): Promise<string | null> {
  const wrong = (what: string, expected: unknown, found: unknown): string | null =>
    isDeepStrictEqual(expected, found) ? null : `${what}: expected ${said(expected)}, found ${said(found)}`;
  const { logEndOffset, highWatermark, lastStableOffset } = log.watermarks;
  // What is not durable yet is known already, and cannot be read.
  if (logEndOffset !== highWatermark) return null;
  const open = twinIds(batches).flatMap((producerId) => {
    const firstOffset = twinProducer(batches, producerId)?.openFrom ?? null;
    return firstOffset === null ? [] : [{ producerId, firstOffset }];
  });
  open.sort((left, right) => left.firstOffset - right.firstOffset);
  const found = log.producers.openTransactions().map(({ producerId, firstOffset }) => ({ producerId, firstOffset }));
  const stable = twinStableOffset(batches, logEndOffset);
  return (
    wrong("C3: open transactions", open, found) ??
    wrong("C3: last stable offset", stable, lastStableOffset) ??
    wrong("C3: aborted transactions", twinAborted(batches), [...(await log.abortedTransactions(0, logEndOffset + 1))]) ??
    wrong("C3: committed batches", twinCommitted(batches, 0, stable), await committedBatches(log, 0, 400))
  );
}

function said(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? String(each) : each));
}

async function check(day: LogDay, state: Producers): Promise<void> {
  const log = day.log as PartitionLog;
  const { highWatermark } = log.watermarks;
  if (highWatermark < state.promised) throw new Broken(`C1: ${state.promised} was acknowledged, the high watermark is ${highWatermark}`);
  const batches = await allBatches(log);
  for (const { baseOffset, producerId, baseSequence } of state.acknowledged) {
    const there = batches.find((batch) => batch.baseOffset === baseOffset);
    const sequence = there?.marker == null ? there?.baseSequence : -1;
    if (there?.producerId !== producerId || sequence !== baseSequence)
      throw new Broken(`C1: producer ${producerId}, sequence ${baseSequence} was acknowledged at ${baseOffset}, found ${said(there)}`);
  }
  const wrong = await twinBroken(log, batches);
  if (wrong !== null) throw new Broken(wrong);
}

export const PRODUCERS: Workload<Producers> = {
  name: "producers",
  producers: true,
  options: { config: { segmentBytes: 500, indexIntervalBytes: 100 }, recoveryPointIntervalBytes: 250 },
  async prepare(day) {
    const state: Producers = { acknowledged: [], promised: 0, epochs: new Map(), nextSequences: new Map() };
    await day.open(true);
    await work(day, state, 4);
    return state;
  },
  copy: ({ acknowledged, promised, epochs, nextSequences }) => {
    return { acknowledged: [...acknowledged], promised, epochs: new Map(epochs), nextSequences: new Map(nextSequences) };
  },
  async live(day, state) {
    await day.open();
    await work(day, state, 4);
    await day.attempt("read", () => check(day, state));
    await day.close(true);
    day.hour();
    await day.open();
    await work(day, state, 2);
    await day.close(false);
    day.hour();
    await day.open();
    await work(day, state, 2);
  },
  async check(day, state) {
    await check(day, state);
  },
  append: (day, state) => send(day, state, 4n, false),
};
