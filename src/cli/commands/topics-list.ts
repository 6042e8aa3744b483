/** `topics list` and `topics describe`: what topics there are, without a byte changed. */
import type { TopicDescription } from "../../api/topic.ts";
import { columns } from "../columns.ts";
import { withReadOnly } from "../directory.ts";
import type { Run } from "../io.ts";
import { configText } from "../topic-settings.ts";

export const list: Run = async (_args, options, io) =>
  withReadOnly(options, io, async (log) => {
    const topics: TopicDescription[] = [];
    for (const name of await log.listTopics()) topics.push(await log.describeTopic(name));
    if (options["json"] === true) for (const topic of topics) io.out.json(topic);
    else for (const { name } of topics) io.out.line(name);
    return undefined;
  });

export const describe: Run = async (args, options, io) =>
  withReadOnly(options, io, async (log) => {
    const named = options["topic"] === undefined ? args : [...args, String(options["topic"])];
    const names = named.length === 0 ? await log.listTopics() : named;
    for (const name of names) {
      const topic = await log.describeTopic(name);
      if (options["json"] === true) io.out.json(topic);
      else for (const line of describeText(topic)) io.out.line(line);
    }
    return undefined;
  });

function describeText(topic: TopicDescription): string[] {
  const marks = topic.partitions.map((each): (string | number)[] => [
    "  ",
    each.partition,
    ...(each.error === undefined
      ? [each.logStartOffset, each.highWatermark, each.logEndOffset, each.highWatermark - each.logStartOffset, each.byteLength]
      : ["-", "-", "-", "-", "-"]),
  ]);
  const failed = topic.partitions.flatMap(({ partition, error }) =>
    error === undefined ? [] : [`   partition ${partition} did not open: ${error.code}: ${error.message}`],
  );
  return [
    `${topic.name}  topicId ${topic.topicId || "-"}  partitions ${topic.partitions.length}${topic.internal ? "  internal" : ""}`,
    `   ${configText(topic.config)}`,
    ...columns([["  ", "partition", "logStartOffset", "highWatermark", "logEndOffset", "offsets", "byteLength"], ...marks]),
    ...failed,
  ];
}
