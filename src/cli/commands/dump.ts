/** `dump`: what stands in the files of a data directory, decoded. Changes nothing. */
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { StorageDriver } from "../../api/storage-driver.ts";
import { nearestName } from "../../base/nearest-name.ts";
import { createCompression } from "../../compression/create-compression.ts";
import { nodeCodecs } from "../../compression/node-codecs.ts";
import { loadCore } from "../../core/load-core.ts";
import { parsePartitionDirectoryName, parseSegmentFileName } from "../../log/files/file-names.ts";
import { fenced } from "../../storage/fenced.ts";
import { nodeStorage } from "../../storage/node.ts";
import { scanDirectory } from "../../topic/directory-scan.ts";
import { CommandLineError, EXIT_FAILURE } from "../cli-error.ts";
import { existingDirectory } from "../directory.ts";
import { dumpBook } from "../dump-book.ts";
import { dumpLog } from "../dump-log.ts";
import type { Dumped, DumpSource } from "../dump-source.ts";
import type { CommandOptions, Io, Run } from "../io.ts";
import { jsonText } from "../json-text.ts";
import { decodeShown, type SerdeName } from "../shown-value.ts";
import { textOf } from "../typed-values.ts";

export const run: Run = async (args, options, io) => {
  const named = [...args, ...(textOf(options, "topic") === undefined ? [] : [textOf(options, "topic") as string])];
  let failures = 0;
  for (const word of named.length === 0 ? [await existingDirectory(options, io)] : named) {
    for (const path of await filesOf(word, options, io)) failures += await dumpFile(path, options, io);
  }
  return failures === 0 ? undefined : EXIT_FAILURE;
};

/** A file, a partition's or a data directory, or a topic in the data directory. */
async function filesOf(word: string, options: CommandOptions, io: Io): Promise<string[]> {
  const facts = await stat(word).catch(() => null);
  if (facts?.isFile() === true) return [resolve(word)];
  if (facts?.isDirectory() === true) return filesUnder(resolve(word));
  const directory = resolve(await existingDirectory(options, io));
  const { topics } = scanDirectory(await nodeStorage(directory).list(""));
  const topic = topics.get(word);
  const partition = parsePartitionDirectoryName(word);
  if (topic !== undefined)
    return (await Promise.all(topic.present.map((number) => filesUnder(resolve(directory, `${word}-${number}`))))).flat();
  if (partition !== null && topics.get(partition.topic)?.present.includes(partition.partition) === true)
    return filesUnder(resolve(directory, word));
  const near = nearestName(word, [...topics.keys()]);
  const hint = near === null ? "" : `; did you mean "${near}"?`;
  throw new CommandLineError(`dump: "${word}" is neither a file nor a directory nor a topic in ${directory}${hint}`, "FILE_NOT_FOUND");
}

/** A directory's files, then those of the partitions in it. */
async function filesUnder(directory: string): Promise<string[]> {
  const kinds = new Map((await nodeStorage(directory).list("")).map(({ name, kind }) => [name, kind]));
  const names = [...kinds.keys()].sort();
  const files = names.filter((name) => kinds.get(name) === "file").map((name) => resolve(directory, name));
  for (const name of names) {
    if (kinds.get(name) === "directory" && parsePartitionDirectoryName(name) !== null)
      files.push(...(await filesUnder(resolve(directory, name))));
  }
  return files;
}

/** Answers 1 when the file could not be read as what its name says. */
async function dumpFile(path: string, options: CommandOptions, io: Io): Promise<0 | 1> {
  const name = basename(path);
  const at = parsePartitionDirectoryName(basename(dirname(path)));
  const storage: StorageDriver = fenced(nodeStorage(dirname(path)), { readOnly: true });
  const file = await storage.open(name, { create: "no", readOnly: true });
  try {
    const parsed = parseSegmentFileName(name);
    const core = await loadCore();
    const source: DumpSource = {
      core,
      compression: createCompression(core, nodeCodecs()),
      file,
      name,
      topic: at?.topic ?? "",
      partition: at?.partition ?? -1,
      baseOffset: parsed?.baseOffset ?? 0,
    };
    const book = parsed?.kind === "log" ? dumpLog(source, options["records"] !== false) : dumpBook(source);
    await tell({ type: "file", file: path, byteLength: file.byteLength(), ...(book === null ? { unknown: true } : {}) }, options, io);
    for await (const dumped of book ?? []) await tell(dumped, options, io);
    return 0;
  } catch (error) {
    if (!(error instanceof Error) || (error as { code?: unknown }).code === undefined) throw error;
    await tell({ type: "problem", file: path, code: (error as { code?: unknown }).code, problem: error.message }, options, io);
    return 1;
  } finally {
    await file.close();
    await storage.close();
  }
}

async function tell(dumped: Dumped, options: CommandOptions, io: Io): Promise<void> {
  const shown = dumped.type === "record" ? decoded(dumped, options) : dumped;
  const mustWait = options["json"] === true ? io.out.json(shown) : io.out.line(lineOf(shown));
  if (mustWait) await io.out.ready();
}

function decoded(record: Dumped, options: CommandOptions): Dumped {
  const where = `offset ${String(record["offset"])}`;
  const key = decodeShown(record["key"] as Uint8Array | null, (options["key"] as SerdeName | undefined) ?? "bytes", `${where}: key`);
  return {
    ...record,
    key,
    value: decodeShown(record["value"] as Uint8Array | null, (options["value"] as SerdeName | undefined) ?? "bytes", where),
  };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What belongs to the line before. */
const INDENTED: ReadonlySet<string> = new Set(["record", "marker", "unreadable"]);

/** `type field=value …`; records and entries stand in from what they belong to. */
function lineOf({ type, ...fields }: Dumped): string {
  if (type === "file")
    return `${String(fields["file"])}: ${String(fields["byteLength"])} bytes${fields["unknown"] === true ? ", of no kind that is known here" : ""}`;
  const said = Object.entries(fields).map(([name, value]) => `${name}=${wordOf(value)}`);
  return `${INDENTED.has(type) ? "    " : "  "}${type} ${said.join(" ")}`;
}

function wordOf(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") return /^[\w.:/+-]+$/.test(value) ? value : JSON.stringify(value);
  if (!(value instanceof Uint8Array)) return jsonText(value);
  try {
    const text = strictUtf8.decode(value);
    return JSON.stringify(text);
  } catch {
    return `base64:${Buffer.from(value).toString("base64")}`;
  }
}
