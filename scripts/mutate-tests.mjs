/** Which tests are asked about a mutant of which folder: those near it that answer in seconds. Long simulations are left out, so a score is a floor. */
import { basename } from "node:path";

const never = [
  "test/log/log-leftovers",
  "test/log/compaction-crash",
  "test/log/compaction-faults",
  "test/log/producer-states",
  "test/log/producer-crash",
];

/** Tests of several seconds, for the files that they are about alone: almost every mutant of the log is met by each of them. */
const dear = {
  "test/engine/at-once.": ["engine", "start-engine"],
  "test/log/repair.": ["repair", "batch-scan", "damage", "set-aside", "segment-rewrite"],
  "test/log/log-bit-flips.": ["segment-survey", "batch-check", "segment-reader"],
  "test/log/log-faults.": ["log-writer", "flusher", "settling", "append-queue", "segment-sync", "flush-requests"],
  "test/log/compaction-laws.": [
    "batch-cleaning",
    "cleaned-segment",
    "cleaned-transactions",
    "compaction-round",
    "compaction",
    "segment-groups",
    "segment-source",
  ],
  "test/log/compaction-readers.": ["segment-swap", "compaction", "log-reader", "segment-removal"],
  "test/log/log-large.": ["index-file", "offset-index", "time-index"],
  "test/log/log-txn-index.": [
    "transaction-index-file",
    "transaction-index",
    "txn-index-check",
    "aborted-transactions",
    "transaction-entries",
  ],
};

const near = {
  base: ["test/base/", "test/log/books/", "test/consumer/read-record", "test/producer/producer.", "test/face/bad-input"],
  consumer: ["test/consumer/"],
  engine: ["test/engine/"],
  group: ["test/group/", "test/consumer/groups.", "test/face/groups."],
  log: ["test/log/", "test/model/log-model", "test/simulation/log-crash-exhaustive"],
  producer: ["test/producer/", "test/face/sending."],
  quota: ["test/quota/", "test/engine/quota-service", "test/face/quotas"],
  table: ["test/table/", "test/face/table."],
  topic: ["test/topic/", "test/face/topics."],
  transaction: ["test/transaction/", "test/engine/transaction-service", "test/engine/transaction-readers", "test/face/transactions"],
};

/** The folders of src that are mutated. */
export const folders = Object.keys(near);

/**
 * @param {string} folder
 * @param {readonly string[]} files of that folder
 * @param {readonly string[]} tests every test file
 */
export function testsNear(folder, files, tests) {
  const starts = near[folder];
  if (starts === undefined)
    throw new Error(`no tests are named for src/${folder}; scripts/mutate-tests.mjs names them for ${folders.join(", ")}`);
  const nouns = files.map((file) => basename(file, ".ts"));
  const tooDear = Object.keys(dear).filter((start) => !dear[start].some((noun) => nouns.includes(noun)));
  return tests.filter(
    (test) => starts.some((start) => test.startsWith(start)) && ![...never, ...tooDear].some((start) => test.startsWith(start)),
  );
}
