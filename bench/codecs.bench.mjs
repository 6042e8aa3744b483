/**
 * How fast is each codec, both ways, on JSON log lines, beside a memcpy of the same uncompressed bytes run in turns with it?
 * gzip and zstd are those of this runtime and, with "portable", those of runtimes that have none. lz4js and snappyjs stand beside for
 * comparison. It does not say what a batch costs around its codec: the header and one checksum, next to nothing.
 */
import { readFileSync } from "node:fs";
import lz4js from "lz4js";
import snappyjs from "snappyjs";
import { nodeCodecs } from "../build/js/compression/node-codecs.js";
import { portableCodecs } from "../build/js/compression/portable-codecs.js";
import { loadCore } from "../build/js/core/load-core.js";
import { micro } from "./harness/micro.mjs";
import { quick } from "./harness/race.mjs";

const MAX = 64 * 1024 * 1024;
const core = await loadCore();
const native = nodeCodecs();
const portable = portableCodecs();

const codecs = [
  { name: "lz4", codec: core.lz4 },
  { name: "snappy", codec: core.snappy },
  { name: "gzip", codec: native.gzip },
  { name: "zstd", codec: native.zstd },
  { name: "gzip, portable", codec: portable.gzip },
  { name: "lz4js", codec: { compress: (bytes) => lz4js.compress(bytes), decompress: (bytes) => lz4js.decompress(bytes) } },
  { name: "snappyjs", codec: { compress: (bytes) => snappyjs.compress(bytes), decompress: (bytes) => snappyjs.uncompress(bytes) } },
];

for (const byteLength of quick ? [65_536] : [65_536, 1_048_576]) {
  const content = logLines(byteLength);
  const into = new Uint8Array(byteLength);
  const beside = { bytesPerCall: byteLength, raw: () => into.set(content), against: "memcpy of the uncompressed bytes" };
  for (const { name, codec } of codecs) {
    if (codec.compress === null) continue;
    const compressed = codec.compress(content);
    const ratio = (byteLength / compressed.length).toFixed(2);
    const what = `${byteLength / 1024} KiB`;
    await micro({ name: `${name}: compress ${what}, to 1/${ratio}`, ours: () => codec.compress(content), ...beside });
    await micro({ name: `${name}: decompress ${what}`, ours: () => codec.decompress(compressed, MAX), ...beside });
  }
}

/** What this runtime may not be able to write, libzstd wrote. */
const { base64, byteLength } = JSON.parse(readFileSync(new URL("../test/fixtures/zstd/frames.json", import.meta.url), "utf8")).frames.find(
  ({ name }) => name === "level 19",
);
const frame = new Uint8Array(Buffer.from(base64, "base64"));
const into = new Uint8Array(byteLength);
await micro({
  name: "zstd, portable: decompress 156 KiB, from level 19",
  bytesPerCall: byteLength,
  ours: () => portable.zstd.decompress(frame, MAX),
  raw: () => into.copyWithin(0, 1),
  against: "memcpy of the uncompressed bytes",
});

/** Of the kind that services write: a time, a few words that come again, and numbers that do not. */
function logLines(byteLength) {
  let state = 1;
  const random = (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const lines = [];
  for (let length = 0; length < byteLength; length += lines.at(-1).length) {
    const line = {
      time: new Date(1_700_000_000_000 + lines.length * 37 + random(30)).toISOString(),
      level: ["info", "warn", "error", "debug"][random(4)],
      service: ["checkout", "search", "login", "cart", "billing"][random(5)],
      requestId: random(2 ** 31).toString(16) + random(2 ** 31).toString(16),
      userId: random(100_000),
      durationMs: random(500),
      message: "request handled",
      path: `/api/v1/items/${random(1000)}`,
    };
    lines.push(`${JSON.stringify(line)}\n`);
  }
  return new TextEncoder().encode(lines.join("")).slice(0, byteLength);
}
