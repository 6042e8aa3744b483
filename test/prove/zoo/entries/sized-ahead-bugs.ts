/** Bugs of files that are longer than what was written to them. */
import type { ZooEntry } from "../entry.ts";

const SIZED_AHEAD = "test/log/log-sized-ahead.test.ts";

export const sizedAheadBugs: readonly ZooEntry[] = [
  {
    name: "length-made-ahead-by-fdatasync-alone",
    tale: "A length is a fact about a file and no bytes: a driver that leaves it to fdatasync stands on each file system's reading of what that may leave for later (the fdatasync of macOS and of old XFS left it).",
    file: "src/storage/node-file.ts",
    find: '"truncate", byteLength);\n    this.#metadataChanged = true;\n',
    replace: '"truncate", byteLength);\n',
    caughtBy: { test: "test/prove/zoo/system-calls.test.ts" },
    budgetMs: 15_000,
  },
  {
    name: "rolled-file-stays-long",
    tale: "etcd#6515's other half: a segment is left with its preallocated end while the next is written, and whoever reads the files after a kill finds zeros in the middle of the log.",
    file: "src/log/append/log-writer.ts",
    find: "    old.cutUnwritten(old.openFiles);\n",
    replace: "",
    caughtBy: { test: SIZED_AHEAD, name: "whenever the process dies" },
    budgetMs: 20_000,
  },
  {
    name: "zeros-of-a-bad-disk-are-space",
    tale: "etcd's isTornEntry takes any sector of zeros for a write that was torn (server/storage/wal/decoder.go): a disk that gives zeros for what was acknowledged has it cut without a word.",
    file: "src/log/opening/recovery.ts",
    find: '      if (end.reason === "end" || end.reason === "older" ||',
    replace: '      if (end.reason === "end" || end.reason === "zero" || end.reason === "older" ||',
    caughtBy: { test: SIZED_AHEAD, name: "in the place of" },
    budgetMs: 20_000,
  },
  {
    name: "refused-length-refuses-the-batch",
    tale: "Kafka's own preallocation fails the roll on a disk that has room for the next batch and not for the whole segment: what only was to be quicker decides what can be written.",
    file: "src/log/segment/segment.ts",
    find: "      this.#aheadTo = Number.POSITIVE_INFINITY;\n",
    replace: '      throw new StorageError("STORAGE_FULL", this.logName);\n',
    caughtBy: { test: SIZED_AHEAD, name: "goes on in a file that grows" },
    budgetMs: 20_000,
  },
  {
    name: "garbage-of-a-block-is-damage",
    tale: "Ours: a loss of power left the length of a file and not a block of it, all of which read as what had stood there before, behind the last byte written as well; that passed for damage.",
    file: "src/log/opening/recovery.ts",
    find: "      if (isAhead) beyond += BLOCK_BYTE_LENGTH;\n",
    replace: "",
    caughtBy: { test: "test/log/log-preallocate.test.ts", name: "up to the end of a block" },
    budgetMs: 20_000,
  },
  {
    name: "follower-goes-by-a-length-made-ahead",
    tale: "A reader that polls the size of a file to learn that it has grown (tail -f, and whoever follows a log by stat) sees nothing of what is written below a length that was there before.",
    file: "src/log/append/changed-durability.ts",
    find: '  if (durability === "os" && !preallocate && active.cutUnwritten(active.openFiles)) active.unflushed = true;\n',
    replace: "",
    caughtBy: { test: SIZED_AHEAD, name: "gives back what it has" },
    budgetMs: 20_000,
  },
];
