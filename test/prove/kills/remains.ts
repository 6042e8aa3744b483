/** What a killed process left, held against what it and those before it said. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Breach, Failure } from "../prover.ts";
import type { Heard } from "./heard.ts";
import {
  committedOffsets,
  committedRecords,
  type FileRecord,
  type PartitionFiles,
  preparedTransactions,
  readPartitionFiles,
} from "./independent-reader.ts";
import { RETENTION_BYTES } from "./life-plan.ts";

const CLIENTS = ["t0", "t1"] as const;
/** What a cut of an unacknowledged end may take from a partition that retention has just shortened. */
const CUT_BYTES_MAX = 64 * 1024;

/** Everything that is not as it was acknowledged in the files of `directory`, none of them read by the engine's code. */
export function checkRemains(directory: string, heard: Heard): Failure[] {
  const failures: Failure[] = [];
  const tell = (breach: Breach, what: string): void => void failures.push({ breach, what });
  for (const wrong of heard.wrongs.splice(0)) tell(/^C4/.test(wrong) ? "lost" : "other", wrong);
  const remains = new Remains(directory, tell);
  try {
    checkSends(remains, heard, tell);
    checkTransactions(remains, heard, tell);
    checkCommits(remains, heard, tell);
    checkTopics(directory, heard, tell);
    checkReadings(remains, heard, tell);
  } catch (error) {
    // The reader does not guess on: what it cannot follow is a gap or worse.
    tell(/expected|ends at|base offset/.test(String(error)) ? "hole" : "other", `the files cannot be followed: ${String(error)}`);
  }
  return failures;
}

type Tell = (breach: Breach, what: string) => void;

/** The files of a data directory, each partition read once. */
class Remains {
  readonly directory: string;
  readonly names: readonly string[];
  readonly prepared: ReadonlyMap<bigint, boolean>;
  readonly #read = new Map<string, PartitionFiles>();
  readonly #tell: Tell;

  constructor(directory: string, tell: Tell) {
    this.directory = directory;
    this.#tell = tell;
    this.names = existsSync(directory) ? readdirSync(directory) : [];
    this.prepared = existsSync(directory) ? preparedTransactions(directory) : new Map();
  }

  /** Null where there is no such directory, or no segment in it. */
  files(name: string): PartitionFiles | null {
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    if (!this.names.includes(name)) return null;
    const compacted = name.startsWith("keyed-") || name.startsWith("__");
    let files: PartitionFiles;
    try {
      files = readPartitionFiles(join(this.directory, name), { compacted });
    } catch (error) {
      const what = `${name}: ${error instanceof Error ? error.message : String(error)}`;
      this.#tell(/base offset|ends at/.test(what) ? "hole" : "lost", what);
      files = { records: [], markers: [], firstOffset: 0, nextOffset: 0, byteLength: 0, torn: null };
    }
    this.#read.set(name, files);
    return files;
  }

  committed(name: string): FileRecord[] {
    const files = this.files(name);
    return files === null ? [] : committedRecords(files, this.prepared);
  }

  /** By "group/topic/partition". */
  offsets(): Map<string, number> {
    const found = this.names.filter((name) => name.startsWith("__consumer_offsets-"));
    return new Map(found.flatMap((name) => [...committedOffsets(this.committed(name))]));
  }
}

/** Every value where it was acknowledged; nothing twice; nothing that nobody sent. */
function checkSends(remains: Remains, heard: Heard, tell: Tell): void {
  const seen = new Map<string, string>();
  const partitions = remains.names.filter((name) => /^(sync|os|short|trimmed|input|made-\d+-\d+)-\d+$/.test(name));
  for (const name of partitions) {
    const files = remains.files(name);
    for (const { offset, value } of files?.records ?? []) {
      const text = value?.toString() ?? "null";
      const id = /^(\d+:\d+):x*$/.exec(text)?.[1];
      if (id === undefined) tell("phantom", `C3: ${name}: offset ${offset} holds ${text.slice(0, 80)}, which nobody sent`);
      else if (seen.has(id)) tell("phantom", `C3: ${name}: ${id} stands at offset ${offset} and at ${seen.get(id)}`);
      else seen.set(id, `${name} ${offset}`);
    }
  }
  for (const [name, values] of heard.values) {
    if (name.startsWith("made-") && heard.topics.get(name.replace(/-\d+$/, "")) !== "made") continue;
    const files = remains.files(name);
    const first = files?.firstOffset ?? 0;
    if (first > 0) checkStart(name, files as PartitionFiles, heard, tell);
    const lost = [...values].filter(([offset, value]) => offset >= first && files?.records[offset - first]?.value?.toString() !== value);
    if (lost.length === 0) continue;
    const [offset, value] = lost[0] as [number, string];
    const found = files?.records[offset - first]?.value?.toString().slice(0, 40);
    const more = `${lost.length - 1} more of them; the log ends at ${files?.nextOffset}, torn: ${files?.torn}`;
    tell("lost", `C1: ${name}: ${value.slice(0, 40)} was acknowledged at ${offset}, found ${found} (${more})`);
  }
}

/** A log that begins later than at 0 was cut by someone who may: deletion up to what was asked, retention down to what is kept. */
function checkStart(name: string, { firstOffset, byteLength }: PartitionFiles, heard: Heard, tell: Tell): void {
  if (name === "short-0") {
    if (byteLength < RETENTION_BYTES - CUT_BYTES_MAX)
      tell("lost", `C1: ${name}: ${byteLength} bytes are left, retention keeps ${RETENTION_BYTES}`);
  } else if (name !== "trimmed-0") tell("lost", `C1: ${name} begins at ${firstOffset}, and nothing was deleted there`);
  else if (firstOffset > heard.trimTried)
    tell("lost", `C1: ${name} begins at ${firstOffset}, deletion was asked for up to ${heard.trimTried}`);
}

/** Of each transaction everything or nothing, whoever was told of its end; of each key what was acknowledged last, or something newer. */
function checkTransactions(remains: Remains, heard: Heard, tell: Tell): void {
  const countsIn = (topic: string): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const { key } of remains.committed(`${topic}-0`)) counts.set(String(key), (counts.get(String(key)) ?? 0) + 1);
    return counts;
  };
  const left = countsIn("left");
  const right = countsIn("right");
  for (const id of new Set([...left.keys(), ...right.keys()])) {
    const there = `${left.get(id) ?? 0}+${right.get(id) ?? 0}`;
    if (there !== "1+2") tell("other", `transaction ${id} is there in part, or twice: ${there} of 1+2`);
    const told = heard.transactions.get(id);
    if (told === "abort" || told === undefined)
      tell("phantom", `C3: transaction ${id} was ${told === undefined ? "never begun" : "taken back"}, and is there`);
  }
  for (const [id, state] of heard.transactions)
    if (state === "committed" && !left.has(id)) tell("lost", `C1: transaction ${id} was committed, and is gone`);
  const offsets = remains.offsets();
  const newest = new Map(remains.committed("keyed-0").map((record) => [String(record.key), record]));
  for (const client of CLIENTS) {
    const last = [...left.keys()].filter((id) => id.startsWith(`${client}:`)).at(-1);
    const expected = last === undefined ? undefined : Number(last.split(":")[1]) + 1;
    const found = offsets.get(`${client}/input/0`);
    if (found !== expected) tell("other", `group ${client}: committed ${found}, its last transaction says ${expected}`);
    const value = newest.get(client)?.value?.toString();
    if (value !== last) tell("other", `key ${client}: the last transaction there is ${last}, the key says ${value}`);
  }
  checkKeys(newest, heard, tell);
}

function checkKeys(newest: ReadonlyMap<string, FileRecord>, heard: Heard, tell: Tell): void {
  for (const [key, { offset, value }] of heard.puts) {
    const found = newest.get(key);
    if (found === undefined && value === "null" && (heard.tries.get(key)?.length ?? 0) === 0) continue;
    const text = found === undefined ? "null" : found.value === null ? "null" : found.value.toString();
    const isSame = text === value && (found === undefined || found.offset === offset);
    const isNewer = (found?.offset ?? Number.POSITIVE_INFINITY) > offset && heard.tries.get(key)?.includes(text) === true;
    if (!isSame && !isNewer)
      tell("lost", `C1: key ${key}: ${value.slice(0, 40)} was acknowledged at ${offset}, found ${text.slice(0, 40)} at ${found?.offset}`);
  }
}

/** The group stands where it was told it does, or at something it asked for later, and never past the log's end. */
function checkCommits(remains: Remains, heard: Heard, tell: Tell): void {
  const committed = remains.offsets().get("killed/sync/0");
  const { commits } = heard;
  const isNone = committed === undefined && !heard.hasCommitted;
  if (commits.length > 0 && !isNone && !commits.includes(committed ?? -1))
    tell("lost", `C1: group killed: expected one of ${commits.slice(0, 8).join(", ")}, found ${committed}`);
  const end = remains.files("sync-0")?.nextOffset ?? 0;
  if (committed !== undefined && committed > end) tell("lost", `C5: group killed has committed ${committed}, the log ends at ${end}`);
}

/** A topic that was acknowledged as made is in the catalogue, one acknowledged as deleted is not. */
function checkTopics(directory: string, heard: Heard, tell: Tell): void {
  const path = join(directory, "odradek.json");
  const catalogue = existsSync(path) ? readFileSync(path, "utf8") : "";
  for (const [topic, state] of heard.topics) {
    const isThere = catalogue.includes(`"${topic}"`);
    if (state === "made" && !isThere) tell("lost", `C1: topic ${topic} was made, and the catalogue does not name it`);
    if (state === "deleted" && isThere) tell("phantom", `C3: topic ${topic} was deleted, and the catalogue names it`);
  }
}

/** What the engine read through its face is what stands in the files, but for what was written after. */
function checkReadings(remains: Remains, heard: Heard, tell: Tell): void {
  for (const [name, reading] of heard.readings) {
    const start = name === "trimmed-0" ? reading.first : 0;
    if (name === "trimmed-0" && reading.count > 0 && reading.first < heard.trimmed)
      tell("phantom", `C3: ${name}: read from ${reading.first}, what is before ${heard.trimmed} was deleted`);
    const records = remains.committed(name).filter(({ offset }) => offset >= start && offset <= reading.last);
    const hash = createHash("md5");
    for (const { offset, key, value } of records) hash.update(`${offset} ${key} ${value}\n`);
    const missed = remains.committed(name).filter(({ offset }) => offset > reading.last).length;
    if (records.length !== reading.count || hash.digest("hex") !== reading.hash)
      tell(
        "lost",
        `${name}: read ${reading.count} records from ${reading.first} to ${reading.last}; in the files there are ${records.length}, or others`,
      );
    else if (missed > 3) tell("lost", `${name}: reading ended at ${reading.last}, and ${missed} records stand behind`);
  }
}
