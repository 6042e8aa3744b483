/** When the bundled libraries run: an import of the package, and a log that is opened and never reads a value, pay nothing for them. */
import { readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";
import { msgpack } from "../../../src/base/serde.ts";
import { readZstd } from "../../../src/compression/zstd-reader.ts";
import { fzstd } from "../../../src/vendor/fzstd.js";
import { msgpackr } from "../../../src/vendor/msgpackr.js";

vi.mock("../../../src/vendor/msgpackr.js", { spy: true });
vi.mock("../../../src/vendor/fzstd.js", { spy: true });

const context = { topic: "t", headers: [] } as never;
/** A frame of one block of no compression, as RFC 8878 draws it: the text "late". */
const FRAME = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 0x6c, 0x61, 0x74, 0x65);

it("makes the library of MessagePack for the first value, and once", () => {
  const [first, second] = [msgpack(), msgpack()];
  expect(msgpackr).not.toHaveBeenCalled();
  expect(second.deserialize(new Uint8Array(first.serialize({ a: 1 }, context)), context)).toStrictEqual({ a: 1 });
  expect(msgpackr).toHaveBeenCalledTimes(1);
});

it("makes the library of zstd for the first frame, and once", () => {
  expect(fzstd).not.toHaveBeenCalled();
  for (let times = 0; times < 2; times += 1) expect(new TextDecoder().decode(readZstd(FRAME, 100))).toBe("late");
  expect(fzstd).toHaveBeenCalledTimes(1);
});

it.each(["msgpackr", "fzstd"])("has nothing in the bundle of %s but the one function", (name) => {
  const code = readFileSync(new URL(`../../../dist/vendor/${name}.js`, import.meta.url), "utf8").replace(/^(?:\/\/.*\n)+/, "");
  expect(code.startsWith(`export function ${name}(){`)).toBe(true);
  expect(code.endsWith("}}\n")).toBe(true);
});
