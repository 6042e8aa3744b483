/** A topic of plain records: appends alone and at once, rolls, flushes, reads, deletions, retention, backups, and its log opened anew in order and not. */
import { OdradekError } from "../../../src/base/errors.ts";
import type { PartitionLog } from "../../../src/log/partition-log.ts";
import { batchOf, NOW_MS, type RigOptions, readAll } from "../../log/log-rig.ts";
import { Account } from "./account.ts";
import { Broken, type LogDay } from "./log-day.ts";
import type { Workload } from "./workload.ts";

const SMALL = { segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 350 } as const;

/** One batch of so many records; answers whether it was acknowledged. */
async function send(day: LogDay, account: Account, count: number, length: number): Promise<boolean> {
  const log = day.log as PartitionLog;
  const values = account.fresh(count, length);
  try {
    const batch = batchOf(values.map((value) => ({ value, timestamp: NOW_MS })));
    const { baseOffset, lastOffset } = await log.append(batch, { recordCount: count, maxTimestamp: NOW_MS });
    const achieved = await log.flushed(lastOffset + 1);
    const wrong = account.acknowledge(baseOffset, values, achieved === "power");
    if (wrong !== null) throw new Broken(wrong);
    return true;
  } catch (error) {
    // Of an append that may be made again nothing was kept: it would stand there twice.
    if (error instanceof Broken) throw error;
    if (error instanceof OdradekError && error.retriable) for (const value of values) account.refused.add(value);
    day.refused("append", error);
    return false;
  }
}

async function sendSome(day: LogDay, account: Account): Promise<void> {
  await send(day, account, 1, 30);
  await send(day, account, 2, 40);
  await Promise.all([send(day, account, 1, 20), send(day, account, 1, 100), send(day, account, 3, 10), send(day, account, 1, 60)]);
}

/** What holds of the log as it stands. */
async function check(day: LogDay, account: Account, isPowerLost: boolean): Promise<void> {
  const log = day.log as PartitionLog;
  const before = log.watermarks;
  const records = await readAll(log, before.logStartOffset, 300);
  const wrong = account.check(before, records, isPowerLost);
  if (wrong !== null) throw new Broken(wrong);
}

export function plainWorkload(name: string, config: RigOptions["config"], rig: RigOptions = {}): Workload<Account> {
  const options: RigOptions = { recoveryPointIntervalBytes: 250, ...rig, config: { ...SMALL, ...config } };
  return {
    name,
    options,
    async prepare(day) {
      const account = new Account();
      await day.open(true);
      for (let round = 0; round < 3; round += 1) await sendSome(day, account);
      await (day.log as PartitionLog).flush();
      account.flushed((day.log as PartitionLog).watermarks.highWatermark);
      return account;
    },
    copy: (account) => new Account(account),
    async live(day, account) {
      await day.open();
      await sendSome(day, account);
      await day.reviveIfFailed();
      await day.attempt("read", () => check(day, account, false));
      const { logStartOffset, highWatermark } = (day.log as PartitionLog).watermarks;
      const before = Math.floor((logStartOffset + highWatermark) / 2);
      account.deletionAsked = Math.max(account.deletionAsked, before);
      const deleted = await day.attempt("deleteRecordsBefore", () => (day.log as PartitionLog).deleteRecordsBefore(before));
      account.deletedBefore = Math.max(account.deletedBefore, deleted ?? 0);
      await day.attempt("applyRetention", () => (day.log as PartitionLog).applyRetention());
      await day.reviveIfFailed();
      day.hour();
      await sendSome(day, account);
      await day.attempt("offsetForTime", () => (day.log as PartitionLog).offsetForTime(NOW_MS));
      await day.attempt("snapshot", () => (day.log as PartitionLog).snapshot());
      await day.attempt("sealUnsealed", () => (day.log as PartitionLog).sealUnsealed());
      await day.attempt("flush", () => (day.log as PartitionLog).flush());
      await day.reviveIfFailed();
      await day.close(true);
      day.hour();
      await day.open();
      await sendSome(day, account);
      await day.reviveIfFailed();
      await day.close(false);
      day.hour();
      await day.open();
      await send(day, account, 1, 90);
      await send(day, account, 2, 90);
    },
    async check(day, account, { isPowerLost, isReopened }) {
      await check(day, account, isPowerLost);
      if (isReopened) account.settle((day.log as PartitionLog).watermarks);
    },
    append: (day, account) => send(day, account, 2, 25),
  };
}

/** A partition made: every file from the first on. */
export const BIRTH: Workload<Account> = {
  ...plainWorkload("birth", {}),
  prepare: async () => new Account(),
  async live(day, account) {
    await day.open(true);
    await sendSome(day, account);
    await day.reviveIfFailed();
    day.hour();
    await sendSome(day, account);
    await day.close(true);
    day.hour();
    await day.open();
    await send(day, account, 1, 40);
  },
};
