/** `groups list|describe|reset|delete`: consumer groups and what they have committed. */
import type { NextOffset } from "../../api/bytes.ts";
import type { GroupDescription } from "../../api/group.ts";
import { CommandLineError } from "../cli-error.ts";
import { columns } from "../columns.ts";
import { withReadOnly, withWritable } from "../directory.ts";
import type { Run } from "../io.ts";
import { parseStart } from "../start-position.ts";
import { optionalNumber, textOf } from "../typed-values.ts";

export const list: Run = async (_args, options, io) =>
  withReadOnly(options, io, async (log) => {
    for (const groupId of await log.listGroups()) {
      if (options["json"] === true) io.out.json({ groupId });
      else io.out.line(groupId);
    }
    return undefined;
  });

export const describe: Run = async (args, options, io) =>
  withReadOnly(options, io, async (log) => {
    const groupIds = args.length === 0 ? await log.listGroups() : args;
    for (const groupId of groupIds) {
      const group = await log.describeGroup(groupId);
      if (options["json"] === true) io.out.json(group);
      else for (const line of describeText(group)) io.out.line(line);
    }
    return undefined;
  });

export const reset: Run = async (args, options, io) => {
  const [groupId, positional] = args;
  const topic = textOf(options, "topic") ?? positional;
  const typed = textOf(options, "to");
  if (groupId === undefined || topic === undefined || typed === undefined) {
    throw new CommandLineError("groups reset: expected a group, a topic and --to beginning|end|N|@time");
  }
  const to = parseStart(typed);
  const partition = optionalNumber(options, "partition", "-p", 0);
  if (to.kind === "last" || to.kind === "stored")
    throw new CommandLineError(`--to: expected beginning, end, an offset or @time, found "${typed}"`);
  return withWritable(options, io, async (log) => {
    const { partitions } = await log.describeTopic(topic);
    if (partition !== undefined && partition >= partitions.length) {
      throw new CommandLineError(
        `-p: topic "${topic}" has the partitions 0 to ${partitions.length - 1}, found ${partition}`,
        "UNKNOWN_TOPIC_OR_PARTITION",
      );
    }
    const wanted = partitions.filter((each) => partition === undefined || each.partition === partition);
    const consumer = log.consumer();
    await consumer.assign(wanted.map((each) => ({ topic, partition: each.partition })));
    const offsets: NextOffset[] = [];
    for (const { partition } of wanted) {
      const at = { topic, partition };
      // Not as described: of a partition that did not open that says nothing, and this is refused.
      const { logStartOffset, highWatermark } = await consumer.watermarks(at);
      const timed = to.kind === "time" ? ((await consumer.offsetForTime(at, to.timestamp))?.offset ?? highWatermark) : 0;
      const asked = to.kind === "beginning" ? logStartOffset : to.kind === "end" ? highWatermark : to.kind === "offset" ? to.offset : timed;
      if (asked < logStartOffset || asked > highWatermark) {
        const range = `${logStartOffset} to ${highWatermark}`;
        throw new CommandLineError(
          `--to: partition ${partition} of "${topic}" holds the offsets ${range}, found ${asked}`,
          "OFFSET_OUT_OF_RANGE",
        );
      }
      offsets.push({ ...at, nextOffset: asked });
    }
    await consumer.close();
    const set = await log.resetOffsets(groupId, topic, offsets);
    if (options["json"] === true) for (const each of set) io.out.json({ groupId, ...each });
    else
      for (const line of columns([
        ["topic", "partition", "nextOffset"],
        ...set.map((each) => [each.topic, each.partition, each.nextOffset]),
      ]))
        io.out.line(line);
    return undefined;
  });
};

export const remove: Run = async (args, options, io) =>
  withWritable(options, io, async (log) => {
    for (const groupId of args) {
      await log.deleteGroup(groupId);
      if (options["json"] === true) io.out.json({ groupId, deleted: true });
      else io.out.line(`deleted ${groupId}`);
    }
    return undefined;
  });

function describeText(group: GroupDescription): string[] {
  // No members: they are in the process that has the log, and not in its files.
  const lines = [`${group.groupId}  ${group.state}  generation ${group.generation}`];
  const rows = group.offsets.map((each): (string | number)[] => ["  ", each.topic, each.partition, each.nextOffset, each.lag]);
  if (rows.length > 0) lines.push(...columns([["  ", "topic", "partition", "nextOffset", "lag"], ...rows]));
  return lines;
}
