/** The frames of the four codecs, bare: no more may come out than was allowed, and nothing else than a slow reader gets. */
import { readFileSync } from "node:fs";
import type { NativeCodecs } from "../../../src/compression/compression.ts";
import { portableCodecs } from "../../../src/compression/portable-codecs.ts";
import type { Core } from "../../../src/core/core.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { twinReadLz4Frame } from "../../core/twin/lz4.ts";
import { twinReadSnappyBlock, twinReadXerial } from "../../core/twin/snappy.ts";
import { type FuzzTarget, mustBe } from "./fuzz-target.ts";

/** Small, so that it is met often. */
const BYTE_LENGTHS_MAX = [100, 5000, 200_000];

export function codecTargets(core: Core, native: NativeCodecs): FuzzTarget[] {
  const random = new SeededRandom("codecs");
  const contents = [
    new Uint8Array(0),
    Uint8Array.of(7),
    new Uint8Array(3000),
    random.bytes(300),
    new TextEncoder().encode("what was written will be there; ".repeat(40)),
    Uint8Array.from({ length: 2000 }, (_, index) => (index * index) >> 7),
  ];
  const frames = JSON.parse(readFileSync(new URL("../../fixtures/zstd/frames.json", import.meta.url), "utf8")) as unknown;
  const zstd = base64sOf(frames).filter(({ length }) => length > 8 && length < 4000);
  const portable = portableCodecs();
  const gzip = contents.map((each) => native.gzip.compress?.(each) ?? each);
  const lz4 = contents.map((each) => core.lz4.compress(each));
  const snappy = contents.map((each) => core.snappy.compress(each));
  const within =
    (
      read: (bytes: Uint8Array, byteLengthMax: number) => Uint8Array,
      twin: ((bytes: Uint8Array) => Uint8Array) | null,
      compared: "always" | "where it answers" = "always",
    ) =>
    (bytes: Uint8Array, by: SeededRandom): void => {
      const byteLengthMax = by.pick(BYTE_LENGTHS_MAX);
      const answer = read(bytes, byteLengthMax);
      mustBe(answer.length <= byteLengthMax, () => `${answer.length} bytes come out where ${byteLengthMax} are allowed`);
      if (twin !== null) agree(answer, bytes, twin, compared);
    };
  const isXerial = (bytes: Uint8Array): boolean => bytes[0] === 0x82 && bytes[1] === 0x53;
  return [
    { name: "gzip", weight: 1, specimens: gzip, decode: within((bytes, max) => native.gzip.decompress(bytes, max), null) },
    {
      name: "gzip, portable",
      weight: 2,
      specimens: gzip,
      // It takes a stored block whose length is not said a second time as it should be; the content has its checksum all the same.
      decode: within(
        (bytes, max) => portable.gzip.decompress(bytes, max),
        (bytes) => native.gzip.decompress(bytes, 1 << 20),
        "where it answers",
      ),
    },
    { name: "zstd", weight: 3, specimens: zstd, decode: within((bytes, max) => native.zstd.decompress(bytes, max), null) },
    { name: "lz4", weight: 3, specimens: lz4, decode: within((bytes, max) => core.lz4.decompress(bytes, max), twinReadLz4Frame) },
    {
      name: "snappy",
      weight: 3,
      specimens: [...snappy, ...snappy.map((each) => each.subarray(20)).filter(({ length }) => length > 0)],
      decode: within(
        (bytes, max) => core.snappy.decompress(bytes, max),
        (bytes) => (isXerial(bytes) ? twinReadXerial(withUsualVersions(bytes)) : twinReadSnappyBlock(bytes)),
      ),
    },
  ];
}

/** The twin knows one version of the stream; what it says of versions is not compared. */
function withUsualVersions(bytes: Uint8Array): Uint8Array {
  const usual = new Uint8Array(bytes);
  usual.set([0, 0, 0, 1, 0, 0, 0, 1].slice(0, Math.max(0, bytes.length - 8)), Math.min(8, bytes.length));
  return usual;
}

/** What is accepted is accepted by the twin (unless it is compared only where that answers), and is the same. */
function agree(answer: Uint8Array, bytes: Uint8Array, twin: (bytes: Uint8Array) => Uint8Array, compared: string): void {
  let expected: Uint8Array | string;
  try {
    expected = twin(bytes);
  } catch (error) {
    if (compared !== "always") return;
    expected = String(error);
  }
  mustBe(
    typeof expected !== "string" && Buffer.compare(expected, answer) === 0,
    () =>
      `${answer.length} bytes come out; a slow reader says ${typeof expected === "string" ? expected : `${expected.length} bytes, or others`}`,
  );
}

/** Every text in the fixture that is bytes. */
function base64sOf(value: unknown): Uint8Array[] {
  if (typeof value === "string") return /^[A-Za-z0-9+/=]{12,}$/.test(value) ? [new Uint8Array(Buffer.from(value, "base64"))] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(base64sOf);
}
