/** What the command line is given: words, settings, times, formats, lines of input, and files to be dumped. */
import { Readable } from "node:stream";
import type { Bytes } from "../../../src/api/bytes.ts";
import { dumpBook } from "../../../src/cli/dump-book.ts";
import { dumpLog } from "../../../src/cli/dump-log.ts";
import { pieces } from "../../../src/cli/input-lines.ts";
import { jsonText } from "../../../src/cli/json-text.ts";
import { parse } from "../../../src/cli/program.ts";
import { compileFormat, parseDelimiter } from "../../../src/cli/record-format.ts";
import { RecordReader } from "../../../src/cli/record-reader.ts";
import { SERDE_NAMES } from "../../../src/cli/shown-value.ts";
import { parseBounds } from "../../../src/cli/start-position.ts";
import { parseSettings } from "../../../src/cli/topic-settings.ts";
import { parsePair } from "../../../src/cli/typed-values.ts";
import type { Compression } from "../../../src/compression/compression.ts";
import type { Core } from "../../../src/core/core.ts";
import { validateConfig } from "../../../src/topic/topic-config.ts";
import { BytesFile } from "./bytes-storage.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

const DUMPED_BYTES_MAX = 4000;

const bytesOf = (text: string): Bytes => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** `found`: the targets that are there already, whose specimens are dumped too. */
export function cliTargets(core: Core, compression: Compression, found: readonly FuzzTarget[]): FuzzTarget[] {
  const record = {
    topic: "orders",
    partition: 1,
    offset: 17,
    timestamp: -1,
    key: bytesOf("k"),
    value: null,
    headers: [["h", bytesOf("v")]] as const,
  };
  const words = [
    "topics create orders --partitions 4 --config retention.ms=1000",
    "consume orders -e -o -5 -f %k:%s\\n -c 3",
    "produce orders -K : -p 1 -H a=b --json",
    "groups reset g orders --to 2026-01-01T00:00:00Z",
    "dump --no-records",
    "verify --json",
    "--help",
  ];
  return [
    {
      name: "command line",
      isText: true,
      specimens: words.map(bytesOf),
      decode: (bytes) =>
        parse(
          textOf(bytes).split(" "),
          () => {},
          () => {},
        ),
    },
    {
      name: "settings",
      isText: true,
      specimens: ["retentionMs=1000", "cleanup.policy=compact", "segmentBytes=16384"].map(bytesOf),
      decode: (bytes) => validateConfig(parseSettings(textOf(bytes).split("\n"))),
    },
    {
      name: "start",
      isText: true,
      specimens: ["beginning", "-5", "17", "s@1700000000000", "2026-01-01T00:00:00Z"].map(bytesOf),
      decode: (bytes) => parseBounds(textOf(bytes).split("\n"), { kind: "end" } as never),
    },
    { name: "pair", isText: true, specimens: [bytesOf("name=value")], decode: (bytes) => parsePair(textOf(bytes), "-H") },
    {
      name: "format",
      isText: true,
      specimens: [bytesOf("%t [%p] at %o: %k=%s %S%% %h\\n\\x41")],
      decode: (bytes) => compileFormat(textOf(bytes), bytesOf("NULL"))(record),
    },
    { name: "delimiter", isText: true, specimens: [bytesOf(":"), bytesOf("\\x00\\n")], decode: (bytes) => parseDelimiter(textOf(bytes)) },
    { name: "input", isText: true, weight: 2, specimens: [bytesOf("one\ntwo\n\nthree"), bytesOf("a::b::")], decode: lines },
    {
      name: "line of input",
      isText: true,
      weight: 3,
      specimens: [
        '{"key":"k","value":{"a":[1,null]},"headers":[["h","v"]],"partition":1,"timestamp":5}',
        '{"value":{"base64":"aGk="}}',
        "key:value",
        "7",
      ].map(bytesOf),
      decode: inputLine,
    },
    ...dumpTargets(core, compression, found),
  ];
}

/** However the bytes come, the pieces and what stood between them are the bytes. */
async function lines(bytes: Bytes, random: { integer(least: number, limit: number): number; pick<T>(of: readonly T[]): T }): Promise<void> {
  const delimiter = bytesOf(random.pick(["\n", "::", "\r\n"]));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + random.integer(1, 9));
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  const found: Buffer[] = [];
  for await (const some of pieces(Readable.from(chunks), delimiter)) found.push(...some);
  const joined = found.map((piece) => piece.toString("latin1")).join(textOf(delimiter));
  const whole = Buffer.from(bytes).toString("latin1");
  mustBe(
    joined === whole || joined + textOf(delimiter) === whole,
    () => `the pieces of ${JSON.stringify(whole)} are ${JSON.stringify(joined)}`,
  );
}

function inputLine(bytes: Bytes, random: { pick<T>(of: readonly T[]): T; chance(probability: number): boolean }): unknown {
  const options = {
    json: random.chance(0.6),
    key: random.pick(SERDE_NAMES),
    value: random.pick(SERDE_NAMES),
    keyDelimiter: ":",
    null: random.chance(0.3),
  };
  return new RecordReader("orders", options).record(bytes, "line 1");
}

/** Every kind of file, read under its own name and under another's. */
function dumpTargets(core: Core, compression: Compression, found: readonly FuzzTarget[]): FuzzTarget[] {
  const names: Readonly<Record<string, string>> = {
    scan: "00000000000000000000.log",
    decompressBatch: "00000000000000000000.log",
    "offset index": "00000000000000000000.index",
    "time index": "00000000000000000000.timeindex",
    "transaction index": "00000000000000000000.txnindex",
    "producer snapshot": "00000000000000000017.snapshot",
    seal: "00000000000000000000.seal",
    "odradek.state": "odradek.state",
    "odradek.json": "odradek.json",
    "partition.metadata": "partition.metadata",
    "meta.properties": "meta.properties",
    "leader epochs": "leader-epoch-checkpoint",
    "offset checkpoint": "recovery-point-offset-checkpoint",
  };
  const topics = ["orders", "__consumer_offsets", "__transaction_state"];
  return found
    .filter(({ name }) => Object.hasOwn(names, name))
    .map((target) => ({
      ...target,
      name: `dump of ${target.name}`,
      weight: 1,
      // Of an index, a few entries say as much as many.
      specimens: target.specimens.filter(({ length }) => length < DUMPED_BYTES_MAX || target.name === "odradek.state"),
      decode: async (bytes, random) => {
        const name = random.chance(0.9) ? (names[target.name] as string) : random.pick(Object.values(names));
        const source = { core, compression, file: new BytesFile(bytes), name, topic: random.pick(topics), partition: 0, baseOffset: 0 };
        const dumped = name.endsWith(".log") ? dumpLog(source, true) : (dumpBook(source) ?? []);
        let count = 0;
        for await (const line of dumped) {
          jsonText(line);
          count += 1;
          mustBe(count <= 100_000, () => `${bytes.length} bytes are told in more than ${count} lines`);
        }
      },
    }));
}
