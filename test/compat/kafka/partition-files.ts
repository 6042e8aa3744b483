/** The files of a partition's directory, and copies of them under a broker's leader epoch. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The segments, oldest first. */
export function logFiles(directory: string): string[] {
  return filesEndingIn(directory, [".log"]);
}

export function filesEndingIn(directory: string, endings: readonly string[]): string[] {
  return readdirSync(directory)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => join(directory, name));
}

/** The newest leader epoch that a broker has noted for this partition; 0 for one that was never written to. */
export function leaderEpochOf(logDirectory: string, partition: string): number {
  const [, , ...entries] = readFileSync(join(logDirectory, partition, "leader-epoch-checkpoint"), "utf8")
    .trim()
    .split("\n");
  return Number(entries.at(-1)?.split(" ")[0] ?? 0);
}

/**
 * Puts Odradek's partition in the place of a stopped broker's: every file but `partition.metadata`, which names the broker's topic.
 * A broker leads under an epoch of its own cluster; a log that claims later ones would be cut back. So the copy carries `leaderEpoch`
 * in each batch's header (bytes 12 to 15, which no checksum covers) and in its `leader-epoch-checkpoint`.
 */
export function replacePartition(ours: string, brokers: string, leaderEpoch: number): void {
  for (const name of readdirSync(brokers)) if (name !== "partition.metadata") rmSync(join(brokers, name));
  mkdirSync(brokers, { recursive: true });
  for (const name of readdirSync(ours)) if (name !== "partition.metadata") copyFileSync(join(ours, name), join(brokers, name));
  for (const file of logFiles(brokers)) {
    const bytes = readFileSync(file);
    for (let at = 0; at < bytes.byteLength; at += 12 + bytes.readInt32BE(at + 8)) bytes.writeInt32BE(leaderEpoch, at + 12);
    writeFileSync(file, bytes);
  }
  const [first] = logFiles(brokers);
  const startOffset = first === undefined ? 0 : Number(first.slice(-24, -4));
  writeFileSync(join(brokers, "leader-epoch-checkpoint"), `0\n1\n${leaderEpoch} ${startOffset}\n`);
}
