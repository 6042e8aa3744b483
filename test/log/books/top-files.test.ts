import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  asLeftByUs,
  isLeftByUs,
  readCleanShutdown,
  removeCleanShutdown,
  writeCleanShutdown,
} from "../../../src/log/books/clean-shutdown.ts";
import { parseProperties, readMetaProperties } from "../../../src/log/books/meta-properties.ts";
import { memory } from "../../../src/storage/memory.ts";
import { crashStorage } from "../../../src/testing/index.ts";
import { bytesOf, get, golden, put, text } from "./support.ts";

const MARKER = ".kafka_cleanshutdown";

describe("the clean-shutdown marker", () => {
  it("is seen whatever it holds: Kafka's, ours, or the empty one of older brokers", async () => {
    const storage = memory();
    expect(await readCleanShutdown(storage)).toBe(false);
    for (const contents of [golden(`data-clean/${MARKER}`), new Uint8Array(0), bytesOf("?")]) {
      await put(storage, MARKER, contents);
      expect(await readCleanShutdown(storage)).toBe(true);
      await removeCleanShutdown(storage);
      expect(await readCleanShutdown(storage)).toBe(false);
    }
    await writeCleanShutdown(storage);
    expect(text(await get(storage, MARKER))).toBe('{"version":0,"brokerEpoch":-1}\n');
  });

  it("tells who left it, and keeps the epoch of the broker that was here before", async () => {
    const storage = memory();
    const kafkas = golden(`data-clean/${MARKER}`);
    for (const theirs of [null, new Uint8Array(0), kafkas]) expect(isLeftByUs(theirs)).toBe(false);
    await writeCleanShutdown(storage, asLeftByUs(kafkas));
    const once = await get(storage, MARKER);
    expect(isLeftByUs(once)).toBe(true);
    expect(JSON.parse(text(once))).toEqual(JSON.parse(text(kafkas)));
    await writeCleanShutdown(storage, asLeftByUs(once));
    expect(await get(storage, MARKER)).toEqual(once);
  });

  it("is durably there once written, and durably gone once removed", async () => {
    const storage = crashStorage();
    await writeCleanShutdown(storage);
    for (const disk of storage.enumerateCrashes(100)) expect(await readCleanShutdown(disk)).toBe(true);
    await removeCleanShutdown(storage);
    for (const disk of storage.enumerateCrashes(100)) expect(await readCleanShutdown(disk)).toBe(false);
    await removeCleanShutdown(storage); // that it is not there is what was asked for
  });
});

describe("meta.properties", () => {
  it("reads what a broker writes", async () => {
    const storage = memory();
    expect(await readMetaProperties(storage)).toBeNull();
    await put(
      storage,
      "meta.properties",
      bytesOf(
        "#\n#Tue Nov 14 22:14:20 UTC 2023\ndirectory.id=nY3bP6vKQxWgJr0dZCm0Sg\nnode.id=1\nversion=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n",
      ),
    );
    expect(Object.fromEntries((await readMetaProperties(storage)) ?? [])).toEqual({
      version: "1",
      "node.id": "1",
      "cluster.id": "MkU3OEVBNTcwNTJENDM2Qg",
      "directory.id": "nY3bP6vKQxWgJr0dZCm0Sg",
    });
  });

  it("takes Java's escapes, separators and continued lines", () => {
    const properties = parseProperties("a\\=b = c\\:d\n! no\n  e:f\\u0041\\t\\\\\ng   h i \nj=1,\\\n   2\nk\nl=\n\n__proto__=x\\");
    expect([...properties]).toEqual([
      ["a=b", "c:d"],
      ["e", "fA\t\\"],
      ["g", "h i "],
      ["j", "1,2"],
      ["k", ""],
      ["l", ""],
      ["__proto__", "x"],
    ]);
  });

  it("reads any text at all, and finds what was written into it", () => {
    const anyText = fc.string({
      unit: fc.constantFrom("\\", "\n", "\r", " ", "=", ":", "#", "!", "a", "\t", "u", "0", "\ud800", "\u2028"),
    });
    fc.assert(
      fc.property(anyText, anyText, (before, after) => {
        const text = `${before.replace(/\\+$/, "")}\nnode.id=7\n${after}`;
        expect(parseProperties(after).size).toBeLessThanOrEqual(after.split(/[\r\n]/).length);
        // The last of two counts, as in Java.
        expect(parseProperties(`${text.replace(/\\+$/, "")}\nnode.id=8`).get("node.id")).toBe("8");
      }),
    );
  });
});
