/** `consume` and `tail`: records printed, from where to where the switches say. */

import { readAsMember } from "../group-reading.ts";
import type { CommandOptions, Io, Run } from "../io.ts";
import { RecordPrinter } from "../record-printer.ts";
import { parseBounds, type ReadBounds } from "../start-position.ts";
import { type ReadPlan, readTopic } from "../topic-reading.ts";
import { listOf, optionalNumber, refuseRest, takeTopic, textOf } from "../typed-values.ts";

const TAIL_RECORDS = 10;

export const consume: Run = async (args, options, io) => {
  const groupId = textOf(options, "group");
  const bounds = parseBounds(listOf(options, "offset"), { kind: groupId === undefined ? "beginning" : "stored" });
  const plan = planOf(args, options, bounds, options["exit"] === true);
  const printer = new RecordPrinter(io.out, options);
  const print = printer.print.bind(printer);
  if (groupId === undefined) await readTopic(plan, options, io, print);
  else await readAsMember(groupId, plan, options, io, print);
  return stopped(io);
};

export const tail: Run = async (args, options, io) => {
  const count = optionalNumber(options, "lines", "-n", 0) ?? TAIL_RECORDS;
  const plan = planOf(args, options, { start: { kind: "last", count }, stopTimestamp: null }, options["exit"] === true);
  const printer = new RecordPrinter(io.out, options);
  await readTopic(plan, options, io, printer.print.bind(printer));
  return stopped(io);
};

function planOf(args: readonly string[], options: CommandOptions, bounds: ReadBounds, untilEnd: boolean): ReadPlan {
  const { topic, rest } = takeTopic(args, options);
  refuseRest(rest);
  return {
    topic,
    partition: optionalNumber(options, "partition", "-p", 0) ?? null,
    bounds,
    untilEnd,
    countMax: optionalNumber(options, "count", "-c", 1) ?? Number.POSITIVE_INFINITY,
  };
}

/** Stopped by hand, and nothing was lost: no failure. */
async function stopped(io: Io): Promise<undefined> {
  await io.out.flush();
}
