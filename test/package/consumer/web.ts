/** A page's program, as far as a compiler sees it. */
import { attachPort, json, memory, type Odradek, OdradekError, open, type Producer, type ProducerRecord, servePort, utf8 } from "odradek";
import { keepStorage, openTab, opfs } from "odradek/opfs";
import { storageContract } from "odradek/testing";

interface Visit {
  readonly page: string;
  readonly ms?: number;
}

export async function main(port: MessagePort, signal: AbortSignal): Promise<readonly Visit[]> {
  const log: Odradek = await open({ storage: memory(), signal, onEvent: ({ type }) => console.log(type) });
  await log.createTopic("visits", { partitions: 3, ifNotExists: true, cleanupPolicy: "compact", retentionMs: 60_000 });
  const producer: Producer<string, Visit> = log.producer({ key: utf8, value: json<Visit>(), compressionType: "gzip", lingerMs: 5 });
  const record: ProducerRecord<string, Visit> = { topic: "visits", key: "me", value: { page: "/" }, headers: [["h", "v"]] };
  const { offset, partition } = await producer.send(record);
  const sum: number = offset + partition;
  // @ts-expect-error: with acks 0 nobody knows the offset
  const unknown: number = (await log.producer({ acks: 0 }).send({ topic: "visits", value: sum })).offset;
  // @ts-expect-error: exactOptionalPropertyTypes: nothing is not undefined
  log.producer<string, Visit>({ value: undefined as never as string });
  const seen: Visit[] = [];
  const consumer = log.consumer({ groupId: "g", key: utf8, value: json<Visit>(), signal });
  await consumer.subscribe(["visits"]);
  for await (const { value, key, timestamp, headers } of consumer.records({ until: "end" })) {
    const known: readonly [string | null, number, number] = [key, timestamp, headers.length];
    if (value !== null && known.length === 3) seen.push(value);
  }
  const stop = servePort(log, port);
  const attached = await attachPort(port);
  const table = await attached.table<string, Visit>("visits", { value: json<Visit>() });
  const mine: Visit | undefined | null = await table.get("me");
  try {
    await log.deleteTopic("visits");
  } catch (error) {
    if (error instanceof OdradekError && error.code === "UNKNOWN_TOPIC_OR_PARTITION") return seen;
    throw error;
  }
  await stop();
  const shared = await openTab("visits", { create: true });
  await open({ storage: opfs("alone") });
  await keepStorage();
  await shared.close();
  storageContract("memory", async () => ({ driver: memory() }), {
    describe: (_, body) => body(),
    it: () => {},
    expect: () => ({ toEqual() {} }),
  });
  return mine === undefined || mine === null ? [] : [mine, { page: String(unknown) }];
}
