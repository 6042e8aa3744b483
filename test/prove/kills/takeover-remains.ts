/** What processes that shared a directory left, held against what each of them was told; a reader that is not ours reads it. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Breach } from "../prover.ts";
import { committedRecords, preparedTransactions, readPartitionFiles } from "./independent-reader.ts";

/** What one process was told. */
export interface Told {
  /** Records of topic `plain`, by the directory of their partition. */
  readonly acknowledged: readonly { readonly partition: string; readonly offset: number; readonly value: string }[];
  /** The key of both records in topic `pairs`, and how it ended: begun, committed or aborted. */
  readonly transactions: ReadonlyMap<string, string>;
}

/** Acknowledged: there, where it was said to be. Nothing twice. Of each transaction both records or none, and both if it was told that they are. */
export function checkTold(directory: string, told: readonly Told[], tell: (breach: Breach, what: string) => void): void {
  try {
    const prepared = preparedTransactions(directory);
    const seen = new Map<string, string>();
    const found = new Map<string, string>();
    for (const name of readdirSync(directory).filter((each) => /^plain-\d$/.test(each))) {
      for (const { offset, value } of readPartitionFiles(join(directory, name)).records) {
        const text = String(value);
        const at = `${name} ${offset}`;
        if (seen.has(text)) tell("phantom", `C3: ${text.slice(0, 40)} stands at ${seen.get(text)} and at ${at}`);
        seen.set(text, at);
        found.set(at, text);
      }
    }
    for (const { partition, offset, value } of told.flatMap(({ acknowledged }) => acknowledged)) {
      const there = found.get(`${partition} ${offset}`);
      if (there !== value)
        tell("lost", `C1: ${value.slice(0, 40)} was acknowledged at ${partition} ${offset}, found ${there?.slice(0, 40)}`);
    }
    const pairs = new Map<string, string>();
    for (const { key, value } of committedRecords(readPartitionFiles(join(directory, "pairs-0")), prepared)) {
      pairs.set(String(key), (pairs.get(String(key)) ?? "") + String(value));
    }
    for (const [id, values] of pairs) if (values !== "ab") tell("other", `transaction ${id} is there as "${values}" of "ab"`);
    for (const [id, state] of told.flatMap(({ transactions }) => [...transactions])) {
      if (state === "committed" && !pairs.has(id)) tell("lost", `C1: transaction ${id} was committed, and is gone`);
      if (state === "aborted" && pairs.has(id)) tell("phantom", `C3: transaction ${id} was refused, and is there`);
    }
  } catch (error) {
    tell(/expected|ends at|base offset/.test(String(error)) ? "hole" : "other", `the files cannot be followed: ${String(error)}`);
  }
}
