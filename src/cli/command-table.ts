/** Every command: what it is called, what it takes, an example or two, and where it is loaded from when it is run. */
import type { Run } from "./io.ts";

export interface OptionRow {
  readonly flags: string;
  readonly meaning: string;
  /** Where the value is found; derived from the long flag unless given. */
  readonly repeated?: true;
  readonly choices?: readonly string[];
}

export interface CommandRow {
  /** "topics create": a word for each level. */
  readonly name: string;
  readonly meaning: string;
  /** "<topic> [file...]" */
  readonly takes?: string;
  readonly options: readonly OptionRow[];
  readonly examples: readonly string[];
  readonly load: () => Promise<Run>;
}

const SERDES = ["bytes", "utf8", "json", "msgpack"];
const TOPIC: OptionRow = { flags: "-t, --topic <topic>", meaning: "the topic, instead of by its place" };
const PARTITION: OptionRow = { flags: "-p, --partition <n>", meaning: "this partition alone" };
const KEY_SERDE: OptionRow = { flags: "--key <serde>", meaning: "what keys are", choices: SERDES };
const VALUE_SERDE: OptionRow = { flags: "--value <serde>", meaning: "what values are", choices: SERDES };
const KEY_DELIMITER: OptionRow = { flags: "-K, --key-delimiter <text>", meaning: "stands between key and value" };
const DELIMITER: OptionRow = { flags: "-D, --delimiter <text>", meaning: "stands between records: a line end unless given" };
const CONFIG: OptionRow = { flags: "-c, --config <name=value>", meaning: "a setting, by the face's name or Kafka's", repeated: true };
const PARTITIONS: OptionRow = { flags: "--partitions <n>", meaning: "how many partitions" };

const PRINTING: readonly OptionRow[] = [
  TOPIC,
  PARTITION,
  { flags: "-c, --count <n>", meaning: "end after so many records" },
  { flags: "-e, --exit", meaning: "end at the end, instead of waiting for more" },
  {
    flags: "--isolation <level>",
    meaning: "readUncommitted: also what no transaction has committed",
    choices: ["readCommitted", "readUncommitted"],
  },
  {
    flags: "-f, --format <text>",
    meaning: "%t topic %p partition %o offset %k key %K its length %s value %S its length %T timestamp %h headers %% \\n \\t \\xHH",
  },
  KEY_DELIMITER,
  DELIMITER,
  { flags: "-Z, --null", meaning: "print NULL for a key or value that is null" },
  KEY_SERDE,
  VALUE_SERDE,
];

export const COMMANDS: readonly CommandRow[] = [
  {
    name: "topics list",
    meaning: "the topics there are",
    options: [],
    examples: ["odradek topics list", "odradek topics list --json"],
    load: async () => (await import("./commands/topics-list.ts")).list,
  },
  {
    name: "topics create",
    meaning: "makes a topic, and the data directory if there is none",
    takes: "[topic]",
    options: [
      TOPIC,
      PARTITIONS,
      CONFIG,
      { flags: "--if-not-exists", meaning: "no failure when it exists with the same settings" },
      { flags: "--topic-id <id>", meaning: "the id that a broker gave the topic" },
    ],
    examples: [
      "odradek topics create orders --partitions 4 --config retentionMs=604800000",
      "odradek topics create users -c cleanup.policy=compact",
    ],
    load: async () => (await import("./commands/topics-change.ts")).create,
  },
  {
    name: "topics describe",
    meaning: "a topic's settings, and where each of its partitions begins and ends",
    takes: "[topic...]",
    options: [TOPIC],
    examples: ["odradek topics describe orders", "odradek topics describe --json"],
    load: async () => (await import("./commands/topics-list.ts")).describe,
  },
  {
    name: "topics alter",
    meaning: "changes a topic's settings, or gives it more partitions",
    takes: "[topic]",
    options: [TOPIC, CONFIG, { flags: "--reset <name>", meaning: "back to the default", repeated: true }, PARTITIONS],
    examples: [
      "odradek topics alter orders --config retentionMs=86400000",
      "odradek topics alter orders --reset retentionMs --partitions 8",
    ],
    load: async () => (await import("./commands/topics-change.ts")).alter,
  },
  {
    name: "topics adopt",
    meaning: "takes over a topic that another writer left here",
    takes: "[topic]",
    options: [
      TOPIC,
      PARTITIONS,
      { flags: "--cleanup-policy <policy>", meaning: "what happens to old segments", choices: ["delete", "compact", "compact,delete"] },
    ],
    examples: ["odradek topics adopt orders --partitions 1 --cleanup-policy delete"],
    load: async () => (await import("./commands/topics-change.ts")).adopt,
  },
  {
    name: "topics delete",
    meaning: "deletes a topic and every record in it",
    takes: "[topic]",
    options: [TOPIC, { flags: "--if-exists", meaning: "no failure when there is none" }],
    examples: ["odradek topics delete orders"],
    load: async () => (await import("./commands/topics-change.ts")).remove,
  },
  {
    name: "produce",
    meaning: "lines of standard input, or files, become records; with --json lines are records in the face's field names",
    takes: "[topic] [file...]",
    options: [
      TOPIC,
      { flags: "-p, --partition <n>", meaning: "to this partition" },
      KEY_DELIMITER,
      { flags: "-k, --fixed-key <key>", meaning: "the key of every record that brings none" },
      { flags: "-H, --header <name=value>", meaning: "a header for every record", repeated: true },
      DELIMITER,
      { flags: "-l, --lines", meaning: "the lines of the files, instead of each file as one record" },
      { flags: "-c, --count <n>", meaning: "end after so many records" },
      { flags: "-Z, --null", meaning: "what is empty is null: a tombstone" },
      { flags: "-z, --compression <codec>", meaning: "how batches are compressed", choices: ["none", "gzip", "snappy", "lz4", "zstd"] },
      { flags: "--timestamp <ms>", meaning: "the time of every record, instead of now" },
      KEY_SERDE,
      VALUE_SERDE,
    ],
    examples: ["echo 'u-17:hello' | odradek produce orders -K :", "odradek consume orders -e --json | odradek produce copies --json"],
    load: async () => (await import("./commands/produce.ts")).run,
  },
  {
    name: "consume",
    meaning: "prints records, from the beginning on, and waits for more",
    takes: "[topic]",
    options: [
      { flags: "-o, --offset <where>", meaning: "beginning, end, N, -N (the last N), @time or s@time; e@time: until", repeated: true },
      { flags: "-G, --group <id>", meaning: "as a member of this group, committing what was printed" },
      ...PRINTING,
    ],
    examples: [
      "odradek consume orders -e",
      "odradek consume orders -o -5 -e -f '%p %o %k=%s\\n'",
      "odradek consume orders -G billing -e --json --value msgpack",
    ],
    load: async () => (await import("./commands/consume.ts")).consume,
  },
  {
    name: "tail",
    meaning: "prints the last records of each partition, then those that come",
    takes: "[topic]",
    options: [{ flags: "-n, --lines <n>", meaning: "how many of each partition: 10 unless given" }, ...PRINTING],
    examples: ["odradek tail orders", "odradek tail orders -n 3 -e --json"],
    load: async () => (await import("./commands/consume.ts")).tail,
  },
  {
    name: "groups list",
    meaning: "the consumer groups there are",
    options: [],
    examples: ["odradek groups list"],
    load: async () => (await import("./commands/groups.ts")).list,
  },
  {
    name: "groups describe",
    meaning: "what a group has committed, its state and its lag",
    takes: "[group...]",
    options: [],
    examples: ["odradek groups describe billing"],
    load: async () => (await import("./commands/groups.ts")).describe,
  },
  {
    name: "groups reset",
    meaning: "sets what a group has committed in a topic; it must have no members",
    takes: "<group> [topic]",
    options: [TOPIC, PARTITION, { flags: "--to <where>", meaning: "beginning, end, an offset, or @time" }],
    examples: ["odradek groups reset billing orders --to beginning", "odradek groups reset billing orders -p 0 --to 2"],
    load: async () => (await import("./commands/groups.ts")).reset,
  },
  {
    name: "groups delete",
    meaning: "forgets a group and what it has committed",
    takes: "<group...>",
    options: [],
    examples: ["odradek groups delete billing"],
    load: async () => (await import("./commands/groups.ts")).remove,
  },
  {
    name: "quotas list",
    meaning: "how much clients may send, read and use",
    options: [],
    examples: ["odradek quotas list"],
    load: async () => (await import("./commands/quotas.ts")).list,
  },
  {
    name: "quotas set",
    meaning: "limits a client, or with --default all that have no limit of their own",
    takes: "[client-id]",
    options: [
      { flags: "-c, --config <name=value>", meaning: "producerByteRate, consumerByteRate or requestPercentage", repeated: true },
      { flags: "--reset <name>", meaning: "back to the default", repeated: true },
      { flags: "--default", meaning: "all clients that have none of their own" },
    ],
    examples: ["odradek quotas set reports --config producerByteRate=1000000", "odradek quotas set --default --reset consumerByteRate"],
    load: async () => (await import("./commands/quotas.ts")).set,
  },
  {
    name: "dump",
    meaning: "what stands in files, decoded: batches and records, markers, index entries, seals, states, checkpoints, snapshots",
    takes: "[file-or-topic...]",
    options: [TOPIC, { flags: "--no-records", meaning: "batches alone" }, KEY_SERDE, VALUE_SERDE],
    examples: ["odradek dump orders --no-records", "odradek dump ./data/orders-0/00000000000000000000.index --json"],
    load: async () => (await import("./commands/dump.ts")).run,
  },
  {
    name: "verify",
    meaning: "looks at a whole data directory, changing nothing: exit 0 when it is whole, 1 when there is damage",
    takes: "[directory]",
    options: [],
    examples: ["odradek verify", "odradek verify ./data --json"],
    load: async () => (await import("./commands/verify.ts")).run,
  },
  {
    name: "repair",
    meaning: "says what would mend the damage; --execute does it, keeping the damaged bytes beside the log",
    options: [{ flags: "--execute", meaning: "do it, instead of saying what would be done" }],
    examples: ["odradek repair", "odradek repair --execute"],
    load: async () => (await import("./commands/repair.ts")).run,
  },
  {
    name: "backup",
    meaning: "copies the data directory, consistently, into an empty one",
    takes: "<directory>",
    options: [],
    examples: ["odradek backup ./data-copy"],
    load: async () => (await import("./commands/backup.ts")).run,
  },
];
