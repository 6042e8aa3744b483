/** A compacted topic: keys, tombstones, rolls, passes with swaps, and its log opened anew. */
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { compactAll, KEYED, type KeyedPut, type KeyedRecord, keyedBatch, readKeyed } from "../../log/compaction-rig.ts";
import { lawsBroken } from "../../log/compaction-twin.ts";
import { NOW_MS } from "../../log/log-rig.ts";
import { Broken, type LogDay } from "./log-day.ts";
import type { Workload } from "./workload.ts";

interface Keyed {
  /** By offset: what was acknowledged, or shown to a reader. */
  readonly history: KeyedRecord[];
  /** Everything that was ever sent. */
  readonly sent: Set<string>;
  promised: number;
  /** Values are never used twice. */
  count: number;
}

async function put(day: LogDay, state: Keyed, keys: readonly string[], length: number): Promise<boolean> {
  const log = day.log as PartitionLog;
  const puts = keys.map((key): KeyedPut => {
    state.count += 1;
    const value = state.count % 7 === 0 ? null : `${state.count}:`.padEnd(length);
    state.sent.add(`${key}=${value}`);
    return [key, value];
  });
  const acknowledged = await day.attempt("append", async () => {
    const appended = await log.append(keyedBatch(puts), { recordCount: puts.length, maxTimestamp: NOW_MS });
    await log.flushed(appended.lastOffset + 1);
    for (const [index, [key, value]] of puts.entries()) {
      const offset = appended.baseOffset + index;
      if (state.history[offset] !== undefined) throw new Broken(`C4: offset ${offset} was handed out again`);
      state.history[offset] = { offset, key, value };
    }
    state.promised = Math.max(state.promised, appended.lastOffset + 1);
    return true;
  });
  return acknowledged === true;
}

async function putSome(day: LogDay, state: Keyed): Promise<void> {
  await put(day, state, ["a", "b", "c"], 20);
  await put(day, state, ["a", "gone", `k${state.count % 4}`], 40);
  // A large one begins a segment.
  await put(day, state, ["roll"], 310);
}

async function check(day: LogDay, state: Keyed): Promise<void> {
  const log = day.log as PartitionLog;
  const { logEndOffset, highWatermark } = log.watermarks;
  if (highWatermark < state.promised)
    throw new Broken(`C1: ${state.promised} was acknowledged, the high watermark is ${highWatermark} of ${logEndOffset}`);
  const found = await readKeyed(log, log.watermarks.logStartOffset, 300);
  for (const record of found) {
    if (state.history[record.offset] === undefined && state.sent.has(`${record.key}=${record.value}`))
      state.history[record.offset] = record;
  }
  state.promised = Math.max(state.promised, state.history.length);
  const wrong = lawsBroken(state.history, found, log.watermarks.logStartOffset, state.promised);
  if (wrong !== null) throw new Broken(`C1: ${wrong}`);
}

async function compact(day: LogDay): Promise<void> {
  const log = day.log as PartitionLog;
  await day.attempt("sealUnsealed", () => log.sealUnsealed());
  if (log.compactionProblem === null) await day.attempt("compact", () => compactAll(log, { dedupeBufferByteLength: 1 << 12 }));
}

export const KEYS: Workload<Keyed> = {
  name: "keys",
  options: KEYED,
  async prepare(day) {
    const state: Keyed = { history: [], sent: new Set(), promised: 0, count: 0 };
    await day.open(true);
    for (let round = 0; round < 3; round += 1) await putSome(day, state);
    return state;
  },
  copy: ({ history, sent, promised, count }) => ({ history: [...history], sent: new Set(sent), promised, count }),
  async live(day, state) {
    await day.open();
    await putSome(day, state);
    await day.reviveIfFailed();
    await compact(day);
    await day.reviveIfFailed();
    day.hour();
    await putSome(day, state);
    await compact(day);
    await day.attempt("read", () => check(day, state));
    await day.reviveIfFailed();
    await day.close(true);
    day.hour();
    await day.open();
    await putSome(day, state);
    await compact(day);
  },
  check: (day, state) => check(day, state),
  append: (day, state) => put(day, state, ["a", "z"], 30),
};
