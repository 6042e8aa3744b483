/** Whether a Kafka broker has the directory open: it holds a lock of its own on `.lock`, which Linux shows in /proc/locks. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const BROKER_LOCK_NAME = ".lock";

/**
 * The broker, for the message, or null where none is seen. Java locks by fcntl(2), which nothing in this runtime could test;
 * the kernel's table is read instead. Brokers in another container are not in it.
 */
export function brokerHolding(directory: string, platform: string): { readonly pid: number; readonly runtime: string } | null {
  if (platform !== "linux" && platform !== "android") return null;
  const file = statSync(join(directory, BROKER_LOCK_NAME), { throwIfNoEntry: false });
  if (file === undefined) return null;
  let table: string;
  try {
    table = readFileSync("/proc/locks", "utf8");
  } catch {
    return null;
  }
  const pid = pidInLockTable(table, file.ino, file.dev);
  return pid === null ? null : { pid, runtime: "a Kafka broker" };
}

/** The process that holds an exclusive record lock on a file, by the text of /proc/locks (proc_locks(5)). */
export function pidInLockTable(table: string, inode: number, device: number): number | null {
  for (const line of table.split("\n")) {
    // 1: POSIX  ADVISORY  WRITE 1234 fd:00:2531452 0 EOF          ("->" marks one that waits)
    const found = /^\d+: (?:POSIX|OFDLCK)\s+\S+\s+WRITE\s+(-?\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s/.exec(line);
    if (found === null || Number(found[4]) !== inode) continue;
    const [major, minor] = [Number.parseInt(found[2]!, 16), Number.parseInt(found[3]!, 16)];
    // Where the device has no number of its own (Btrfs, overlays) stat and the table may differ: there the inode decides.
    if (major === 0 || (major === majorOf(device) && minor === minorOf(device))) return Number(found[1]);
  }
  return null;
}

/** As glibc's gnu_dev_major and gnu_dev_minor, for numbers below 2^32. */
function majorOf(device: number): number {
  return (device >>> 8) & 0xfff;
}

function minorOf(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xfff00);
}
