/** Keeps what a broker left, and what Kafka's consumer saw in it, as test/fixtures/broker: with `ODRADEK_RECORD=test/fixtures/broker`. */
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BrokerProducer, BrokerTransaction, GroupOffset, Isolation, ReadPartition } from "./kafka-clients.ts";
import { logFiles } from "./partition-files.ts";
import { recordHash } from "./record-hash.ts";

export interface Seen {
  readonly read: ReadonlyMap<Isolation, readonly ReadPartition[]>;
  readonly group: string;
  readonly offsets: readonly GroupOffset[];
  readonly producers: readonly BrokerProducer[];
  readonly transactions: readonly BrokerTransaction[];
}

/** Of the internal topics only what has records; nothing of the broker's own metadata. */
export function recordFixture(directory: string, logDirectory: string, seen: Seen): void {
  rmSync(join(directory, "data"), { recursive: true, force: true });
  mkdirSync(join(directory, "data"), { recursive: true });
  for (const name of readdirSync(logDirectory)) {
    const from = join(logDirectory, name);
    const isFile = statSync(from).isFile();
    const isEmpty = !isFile && logFiles(from).every((file) => statSync(file).size === 0);
    if (name.startsWith("__cluster_metadata") || name === "bootstrap.checkpoint" || name.startsWith(".lock") || isEmpty) continue;
    // What waits for its removal is worth keeping once.
    const isWanted = (file: string): boolean => !file.endsWith(".deleted") || file.includes("users-1");
    cpSync(from, join(directory, "data", name), { recursive: true, filter: isWanted });
  }
  const lines: object[] = [];
  for (const [isolation, partitions] of seen.read) {
    for (const { records, ...partition } of partitions) {
      lines.push({ seen: "records", isolation, ...partition, recordCount: records.length, hash: recordHash(records) });
    }
  }
  for (const offset of seen.offsets) lines.push({ seen: "offset", group: seen.group, ...offset });
  for (const producer of seen.producers) lines.push({ seen: "producer", ...producer });
  for (const transaction of seen.transactions) lines.push({ seen: "transaction", ...transaction });
  writeFileSync(join(directory, "seen.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}
