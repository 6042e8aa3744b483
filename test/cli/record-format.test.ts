/** Format strings say what is printed, and nothing else. */

import { Readable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandLineError } from "../../src/cli/cli-error.ts";
import { pieces } from "../../src/cli/input-lines.ts";
import { bytesOfJson, jsonText } from "../../src/cli/json-text.ts";
import { compileFormat, parseDelimiter, type ShownRecord } from "../../src/cli/record-format.ts";
import { parseBounds, parseStart } from "../../src/cli/start-position.ts";

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null });
const records: fc.Arbitrary<ShownRecord> = fc.record({
  topic: fc.stringMatching(/^[a-z]{1,8}$/),
  partition: fc.nat(100),
  offset: fc.maxSafeNat(),
  timestamp: fc.integer({ min: -1 }),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.tuple(fc.string({ maxLength: 8 }), bytesOrNull), { maxLength: 4 }),
});
const shown = (format: string, record: ShownRecord): Buffer => Buffer.concat(compileFormat(format)(record));

describe("a format string", () => {
  it("prints what has no % and no \\ as it stands", () => {
    fc.assert(
      fc.property(
        records,
        fc.string({ unit: "grapheme" }).filter((text) => !/[%\\]/.test(text)),
        (record, text) => {
          expect(shown(text, record).toString("utf8")).toBe(text);
        },
      ),
    );
  });

  it("prints parts one after another: of two strings joined, what each prints", () => {
    const part = fc.constantFrom("%t", "%p", "%o", "%k", "%K", "%s", "%S", "%T", "%h", "%%", "\\n", "\\t", "\\x41", "\\\\", "plain ", "");
    fc.assert(
      fc.property(records, part, part, (record, first, second) => {
        expect(shown(first + second, record)).toEqual(Buffer.concat([shown(first, record), shown(second, record)]));
      }),
    );
  });

  it("prints keys and values byte for byte, and lengths by which they can be cut out again", () => {
    fc.assert(
      fc.property(records, (record) => {
        const printed = shown("%K:%S:%k%s", record);
        const [, key, value] = /^(-?\d+):(-?\d+):/.exec(printed.toString("latin1")) as RegExpExecArray;
        const body = printed.subarray(`${key}:${value}:`.length);
        const keyLength = Math.max(0, Number(key));
        expect(Number(key) === -1).toBe(record.key === null);
        expect(body.subarray(0, keyLength)).toEqual(Buffer.from(record.key ?? []));
        expect(body.subarray(keyLength)).toEqual(Buffer.from(record.value ?? []));
      }),
    );
  });

  it("writes any byte by its number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), (byte) => {
        const typed = `\\x${byte.toString(16).padStart(2, "0")}`;
        expect([...(compileFormat(typed)({} as ShownRecord)[0] as Uint8Array)]).toEqual([byte]);
        expect([...parseDelimiter(typed)]).toEqual([byte]);
      }),
    );
  });

  it.each([["%z"], ["a%"], ["\\q"], ["\\x4"], ["%__proto__"]])("refuses %s", (format) => {
    expect(() => compileFormat(format)).toThrow(CommandLineError);
  });
});

describe("input", () => {
  it("is cut at the delimiter, however it comes in pieces", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[ab;]{0,12}$/)),
        fc.constantFrom(";", ";;", "\n", "ab"),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        async (parts, delimiter, steps) => {
          const whole = Buffer.from(parts.join(delimiter));
          const chunks: Buffer[] = [];
          for (let at = 0, turn = 0; at < whole.length; turn += 1) {
            const step = steps[turn % steps.length] as number;
            chunks.push(whole.subarray(at, at + step));
            at += step;
          }
          const found: string[] = [];
          for await (const each of pieces(Readable.from(chunks), Buffer.from(delimiter))) found.push(...each.map(String));
          const expected = whole.toString().split(delimiter);
          if (expected.at(-1) === "") expected.pop();
          expect(found).toEqual(expected);
        },
      ),
    );
  });
});

describe("a JSON line", () => {
  it("brings bytes back as they were, and takes nothing else for bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(bytesOfJson(JSON.parse(jsonText(bytes)))).toEqual(new Uint8Array(bytes));
      }),
    );
    for (const other of [null, "dGV4dA==", { base64: 1 }, { base64: "x", more: 1 }, { base64: "no base64!" }, []])
      expect(bytesOfJson(other)).toBeNull();
  });
});

describe("where to begin", () => {
  it("takes any offset, and any number from the end", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (number) => {
        expect(parseStart(String(number))).toEqual({ kind: "offset", offset: number });
        expect(parseStart(`-${number}`)).toEqual({ kind: "last", count: number });
        expect(parseStart(`@${number}`)).toEqual({ kind: "time", timestamp: number });
        expect(parseBounds([`s@${number}`, `e@${number}`], { kind: "end" })).toEqual({
          start: { kind: "time", timestamp: number },
          stopTimestamp: number,
        });
      }),
    );
  });

  it.each([["begining"], [""], ["-"], ["1.5"], ["@"], ["@yesterday"], ["1e3"], ["9007199254740992"], ["@-5"]])('refuses "%s"', (typed) => {
    expect(() => parseStart(typed)).toThrow(CommandLineError);
  });
});
