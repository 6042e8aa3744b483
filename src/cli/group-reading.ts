/** Reading a topic as a member of a group: what was printed is committed, never what was not. */
import type { Consumer } from "../api/consumer.ts";
import { bytes } from "../base/serde.ts";
import { CommandLineError } from "./cli-error.ts";
import { withWritable } from "./directory.ts";
import type { CommandOptions, Io } from "./io.ts";
import type { BytesRecord } from "./record-printer.ts";
import { isolationOf, type ReadPlan } from "./topic-reading.ts";

const POLL_RECORDS_MAX = 500;
const POLL_MS = 100;

export async function readAsMember(
  groupId: string,
  plan: ReadPlan,
  options: CommandOptions,
  io: Io,
  print: (record: BytesRecord) => boolean,
): Promise<void> {
  const { start, stopTimestamp } = plan.bounds;
  if (plan.partition !== null) throw new CommandLineError("-p: a group hands out the partitions itself; leave out -p or -G");
  if (stopTimestamp !== null || (start.kind !== "beginning" && start.kind !== "end" && start.kind !== "stored")) {
    throw new CommandLineError(
      "-o: a group reads on from its offsets; beginning and end say where it begins without any. groups reset moves them",
    );
  }
  await withWritable(options, io, async (log) => {
    await log.describeTopic(plan.topic);
    const autoOffsetReset = start.kind === "end" ? "latest" : "earliest";
    const how = { enableAutoCommit: false, autoOffsetReset, isolationLevel: isolationOf(options) } as const;
    const consumer = log.consumer<Uint8Array, Uint8Array>({ groupId, key: bytes, value: bytes, ...how });
    await consumer.subscribe([plan.topic]);
    let left = plan.countMax;
    while (left > 0 && !io.signal.aborted) {
      const records = await consumer.poll({ timeoutMs: POLL_MS, maxRecords: Math.min(left, POLL_RECORDS_MAX) });
      if (records.length === 0) {
        if (plan.untilEnd && consumer.assignment().length > 0 && (await isAtEnd(consumer))) break;
        continue;
      }
      for (const record of records) if (print(record)) await io.out.ready();
      await io.out.flush();
      await consumer.commit();
      left -= records.length;
    }
    await consumer.close();
  });
}

async function isAtEnd(consumer: Consumer<Uint8Array, Uint8Array>): Promise<boolean> {
  for (const partition of consumer.assignment()) if ((await consumer.lag(partition)) > 0) return false;
  return true;
}
