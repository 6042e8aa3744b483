/**
 * How fast is CRC-32C in the core, beside slicing by 16 compiled by the same compiler and run in turns with it?
 * It does not say what copying bytes into the core costs: both read their own memory, and the block is warm.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { micro } from "./harness/micro.mjs";

const compiler = "assemblyscript/asc";
const { main } = await import(compiler);

/** Behind the core's fixed places; the slicing binary has nothing there at all. */
const BLOCK_AT = 1_400_003;
const BLOCKS = [128, 1024, 4096, 16_384, 65_536, 1_048_576].filter((byteLength) => BLOCK_AT + byteLength <= 38 * 65_536);

const core = instanceOf(readFileSync(new URL("../build/core.release.wasm", import.meta.url)));
const slicing = instanceOf(await compiled());
core.initialize();
slicing.initialize();
const noise = Uint8Array.from({ length: BLOCKS.at(-1) }, (_, at) => Math.imul(at, 2_654_435_761) >>> 24);
for (const { memory } of [core, slicing]) new Uint8Array(memory.buffer).set(noise, BLOCK_AT);

for (const byteLength of BLOCKS) {
  await micro({
    name: `crc32c, ${byteLength} B block`,
    bytesPerCall: byteLength,
    ours: () => core.crc32c(BLOCK_AT, byteLength, 0),
    raw: () => slicing.slicing16(BLOCK_AT, byteLength, 0),
    against: "slicing by 16, the same compiler",
    ...(byteLength === 65_536 && { budget: { ratio: 4 } }),
  });
}

function instanceOf(bytes) {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports;
}

async function compiled() {
  process.chdir(fileURLToPath(new URL("../", import.meta.url)));
  const outFile = "build/bench-slicing.wasm";
  const { error, stderr } = await main([
    "assembly/bench/slicing.ts",
    "--config",
    "none",
    "-O3",
    "--runtime",
    "stub",
    "--use",
    "abort=",
    "--enable",
    "simd",
    "--initialMemory",
    "38",
    "--outFile",
    outFile,
  ]);
  if (error) throw new Error(stderr.toString());
  return readFileSync(outFile);
}
