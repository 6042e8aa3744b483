/**
 * Flushes without an entry: no promise was found that breaks without them, by crash at every call or by thought. Each says why; where that
 * stops being so an entry takes its place, and where it is so for good the flush may go.
 */

export interface UnneededFlush {
  readonly file: string;
  /** Stands once in the file, with the call in it. */
  readonly find: string;
  readonly why: string;
}

export const unneeded: readonly UnneededFlush[] = [
  {
    file: "src/log/append/log-writer.ts",
    find: "    if (this.#failure === null) await this.flush().catch(() => {});\n",
    why: "A rolled segment is flushed before its seal, for which a drain waits as well, and a close in order flushes the active one itself; those who wait for a flush have asked for it.",
  },
  {
    file: "src/log/append/log-writer.ts",
    find: "      else await this.flush();\n",
    why: "What waits in the queue waits for room, and has asked for the flush that makes it.",
  },
  {
    file: "src/log/opening/open-log.ts",
    find: "    await context.storage.syncDirectory(spec.directory);\n    return fresh;\n",
    why: "The new segment is empty, and its name is made durable before its first batch is acknowledged; without it the next opening makes it again.",
  },
  {
    file: "src/log/opening/rewriting.ts",
    find: "  await context.storage.syncDirectory(spec.directory);\n  for (const segment of segments.slice(start)) segment.directoryUnflushed",
    why: "When the producers are settled, which always follows, the directory is flushed once more before the log is served.",
  },
  {
    file: "src/log/opening/clean-end.ts",
    find: "  if (active.directoryUnflushed) await context.storage.syncDirectory(spec.directory);\n",
    why: "A segment whose name is not durable at a close is empty: a batch in it was flushed together with its name. The next opening makes it again.",
  },
  {
    file: "src/log/compaction/cleaned-segment.ts",
    find: "    this.#flush = this.#log.sync();\n",
    why: "It spreads the flush of much over the pass, so that the one at the end, on which the promise stands, is short.",
  },
  {
    file: "src/log/survey/segment-rewrite.ts",
    find: "  await storage.replace(temporary, name);\n  await storage.syncDirectory(directory);\n",
    why: "The indexes are made anew behind it, and that flushes the directory; until then the damaged log may come back, and is mended again.",
  },
  {
    file: "src/engine/group-service.ts",
    find: "    await this.#topic.flush();\n",
    why: "A close closes the logs of internal topics behind it, and that flushes them.",
  },
  {
    file: "src/storage/fenced-file.ts",
    find: "    const syncing = this.#sync();\n",
    why: "A call of the method that asks for the flush, which has an entry.",
  },
  {
    file: "src/engine/transaction-markers.ts",
    find: "        await log.flush();\n        return null;\n",
    why: "A marker that stands there was flushed by the end that wrote it; where that flush failed the log was opened anew since, which flushes what it keeps.",
  },
  {
    file: "src/log/files/partition-files.ts",
    find: "  if (swaps.length > 0) await storage.syncDirectory(directory);\n  await removeAll(deleted);\n",
    why: "Whoever finds the swap again ends it again, to the same files; and a recovery flushes the directory before anything is served.",
  },
];
