/** kafka-console-consumer, told to print a topic from its beginning. */
import type { Isolation } from "./kafka-clients.ts";
import { java } from "./rig.ts";

/** It ends when nothing has come for so long: it knows of no end. */
const silenceMs = 3000;
/** What it prints for null goes through the deserializer like any value; no record of ours is that. */
const NULL_LITERAL = "<null>";
const NULL_PRINTED = `"${Buffer.from(NULL_LITERAL).toString("base64")}"`;

/** By partition, each record as `offset timestamp key value`, in the order in which it printed them. */
export async function printedByConsole(bootstrap: string, topic: string, isolation: Isolation): Promise<Map<number, string[]>> {
  const shown = ["partition", "offset", "timestamp", "key", "value"].map((field) => `print.${field}=true`);
  const properties = [
    ...shown,
    "key.deserializer=Base64Text",
    "value.deserializer=Base64Text",
    "key.separator=|",
    `null.literal=${NULL_LITERAL}`,
  ];
  const output = await java("org.apache.kafka.tools.consumer.ConsoleConsumer", [
    ...["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--isolation-level", isolation],
    ...["--timeout-ms", String(silenceMs)],
    ...properties.flatMap((property) => ["--formatter-property", property]),
  ]);
  const printed = new Map<number, string[]>();
  for (const line of output.split("\n")) {
    const found = /^CreateTime:(\d+)\|Partition:(\d+)\|Offset:(\d+)\|(.*)\|(.*)$/.exec(line);
    if (found === null) continue;
    const [, timestamp, partition, offset, key, value] = found as unknown as [string, string, string, string, string, string];
    const lines = printed.get(Number(partition)) ?? [];
    const fields = [key, value].map((field) => (field === NULL_PRINTED ? "null" : field));
    lines.push([offset, timestamp, ...fields].join(" "));
    printed.set(Number(partition), lines);
  }
  return printed;
}
