/** Reading a topic without a group: the log is opened to be read, again and again while it is followed, and nothing is changed. */
import type { IsolationLevel } from "../api/broker.ts";
import type { Consumer } from "../api/consumer.ts";
import { bytes } from "../base/serde.ts";
import { CommandLineError } from "./cli-error.ts";
import { withReadOnly } from "./directory.ts";
import type { CommandOptions, Io } from "./io.ts";
import type { BytesRecord } from "./record-printer.ts";
import type { ReadBounds, StartPosition } from "./start-position.ts";
import { waitForGrowth } from "./topic-growth.ts";
import { textOf } from "./typed-values.ts";

/** readCommitted unless asked: what a program reads as well. */
export function isolationOf(options: CommandOptions): IsolationLevel | undefined {
  return textOf(options, "isolation") as IsolationLevel | undefined;
}

type BytesConsumer = Consumer<Uint8Array, Uint8Array>;

export interface ReadPlan {
  readonly topic: string;
  /** null: all. */
  readonly partition: number | null;
  readonly bounds: ReadBounds;
  /** End when everything there was is read, instead of waiting for more. */
  readonly untilEnd: boolean;
  readonly countMax: number;
}

/** `print` answers whether the output must be waited for. */
export async function readTopic(plan: ReadPlan, options: CommandOptions, io: Io, print: (record: BytesRecord) => boolean): Promise<void> {
  const positions = new Map<number, number>();
  const untilEnd = plan.untilEnd || plan.bounds.stopTimestamp !== null;
  let left = plan.countMax;
  while (left > 0 && !io.signal.aborted) {
    const openedAt = performance.now();
    left = await withReadOnly(options, io, async (log) => {
      const count = (await log.describeTopic(plan.topic)).partitions.length;
      if (plan.partition !== null && plan.partition >= count) {
        throw new CommandLineError(
          `-p: topic "${plan.topic}" has the partitions 0 to ${count - 1}, found ${plan.partition}`,
          "UNKNOWN_TOPIC_OR_PARTITION",
        );
      }
      const consumer = log.consumer<Uint8Array, Uint8Array>({
        key: bytes,
        value: bytes,
        isolationLevel: isolationOf(options),
        signal: io.signal,
      });
      const partitions = plan.partition === null ? Array.from({ length: count }, (_, partition) => partition) : [plan.partition];
      await consumer.assign(partitions.map((partition) => ({ topic: plan.topic, partition })));
      const isFirst = positions.size === 0;
      const ends = new Map<number, number>();
      for (const partition of partitions) {
        const at = { topic: plan.topic, partition };
        // A partition that was added while the topic was followed is read whole.
        const known = positions.get(partition) ?? (isFirst ? await offsetOf(consumer, plan.topic, partition, plan.bounds.start) : 0);
        positions.set(partition, known);
        consumer.seek(at, known);
        const { stopTimestamp } = plan.bounds;
        const stop = stopTimestamp === null ? null : await consumer.offsetForTime(at, stopTimestamp);
        if (stop !== null) ends.set(partition, stop.offset);
      }
      return readToEnd(consumer, io, { left, positions, ends }, print);
    });
    await io.out.flush();
    if (untilEnd || left === 0) return;
    await waitForGrowth(plan.topic, options, io, performance.now() - openedAt);
  }
}

interface Progress {
  readonly left: number;
  readonly positions: Map<number, number>;
  /** Where a partition is done before its end. */
  readonly ends: ReadonlyMap<number, number>;
}

/** Answers how many records may still be printed. */
async function readToEnd(consumer: BytesConsumer, io: Io, progress: Progress, print: (record: BytesRecord) => boolean): Promise<number> {
  const { positions, ends } = progress;
  let { left } = progress;
  for await (const record of consumer.records({ until: "end" })) {
    positions.set(record.partition, record.offset + 1);
    if (record.offset >= (ends.get(record.partition) ?? Number.POSITIVE_INFINITY)) {
      // To its end, not paused: a paused partition never comes to its end, which is what is waited for.
      consumer.seek({ topic: record.topic, partition: record.partition }, "latest");
      continue;
    }
    if (print(record)) await io.out.ready();
    left -= 1;
    if (left === 0) break;
  }
  await consumer.close();
  return left;
}

async function offsetOf(consumer: BytesConsumer, topic: string, partition: number, start: StartPosition): Promise<number> {
  const at = { topic, partition };
  const { logStartOffset, highWatermark } = await consumer.watermarks(at);
  switch (start.kind) {
    case "beginning":
      return logStartOffset;
    case "end":
      return highWatermark;
    case "stored":
      throw new CommandLineError("-o stored: only a group has stored offsets; -G names one");
    case "last":
      return Math.max(logStartOffset, highWatermark - start.count);
    case "time":
      return (await consumer.offsetForTime(at, start.timestamp))?.offset ?? highWatermark;
    case "offset":
      // As kcat: what lies outside is met at the beginning.
      return start.offset < logStartOffset || start.offset > highWatermark ? logStartOffset : start.offset;
  }
}
