/** `topics create`, `alter`, `adopt` and `delete`: changes, under the directory's lock. */
import type { Odradek } from "../../api/odradek.ts";
import type { TopicConfig, TopicDescription } from "../../api/topic.ts";
import { CommandLineError } from "../cli-error.ts";
import { directoryOf, withLog, withWritable } from "../directory.ts";
import type { CommandOptions, Io, Run } from "../io.ts";
import { parseSettings, settingName } from "../topic-settings.ts";
import { listOf, optionalNumber, refuseRest, takeTopic, textOf } from "../typed-values.ts";

const PARTITIONS = "--partitions";

export const create: Run = async (args, options, io) => {
  const topic = onlyTopic(args, options);
  const config = parseSettings(listOf(options, "config")) as Partial<TopicConfig>;
  const partitions = optionalNumber(options, "partitions", PARTITIONS, 1);
  const asked = { ...config, partitions, topicId: textOf(options, "topicId"), ifNotExists: options["ifNotExists"] === true };
  // The one command that may begin a data directory.
  return withLog(directoryOf(options, io), io, false, async (log) => tell(await log.createTopic(topic, asked), options, io, "created"));
};

export const alter: Run = async (args, options, io) => {
  const topic = onlyTopic(args, options);
  const settings = parseSettings(listOf(options, "config"));
  for (const name of listOf(options, "reset")) settings[settingName(name)] = null;
  const partitions = optionalNumber(options, "partitions", PARTITIONS, 1);
  if (Object.keys(settings).length === 0 && partitions === undefined) {
    throw new CommandLineError("topics alter: expected --config name=value, --reset name or --partitions n, found none");
  }
  return withWritable(options, io, async (log) => {
    if (Object.keys(settings).length > 0) await log.alterTopic(topic, settings as Parameters<Odradek["alterTopic"]>[1]);
    if (partitions !== undefined) await log.createPartitions(topic, partitions);
    return tell(await log.describeTopic(topic), options, io, "altered");
  });
};

export const adopt: Run = async (args, options, io) => {
  const topic = onlyTopic(args, options);
  const partitions = optionalNumber(options, "partitions", PARTITIONS, 1);
  const cleanupPolicy = textOf(options, "cleanupPolicy") as TopicConfig["cleanupPolicy"] | undefined;
  if (partitions === undefined || cleanupPolicy === undefined) {
    throw new CommandLineError(
      "topics adopt: expected --partitions and --cleanup-policy: what another writer configured is not in its files",
    );
  }
  return withWritable(options, io, async (log) => tell(await log.adoptTopic(topic, { partitions, cleanupPolicy }), options, io, "adopted"));
};

export const remove: Run = async (args, options, io) => {
  const topic = onlyTopic(args, options);
  return withWritable(options, io, async (log) => {
    await log.deleteTopic(topic, { ifExists: options["ifExists"] === true });
    if (options["json"] === true) io.out.json({ name: topic, deleted: true });
    else io.out.line(`deleted ${topic}`);
    return undefined;
  });
};

function onlyTopic(args: readonly string[], options: CommandOptions): string {
  const { topic, rest } = takeTopic(args, options);
  refuseRest(rest);
  return topic;
}

function tell(topic: TopicDescription, options: CommandOptions, io: Io, done: string): undefined {
  if (options["json"] === true) io.out.json(topic);
  else io.out.line(`${done} ${topic.name}: ${topic.partitions.length} partition${topic.partitions.length === 1 ? "" : "s"}`);
}
