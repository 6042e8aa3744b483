import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import fc from "fast-check";
import { Packr as OriginalPackr } from "msgpackr";
import { describe, expect, it } from "vitest";
import type { Bytes } from "../../../src/api/bytes.ts";
import type { Serde, SerdeContext, StandardSchema } from "../../../src/api/serde.ts";
import { UsageError } from "../../../src/base/errors.ts";
import { bytes, json, msgpack, utf8 } from "../../../src/base/serde.ts";
import { KEY, lenderOf, VALUE } from "../../../src/base/serdes/lending.ts";
import { jsonValue, messagePackValue, text } from "./values.ts";

const context: SerdeContext = { topic: "orders", headers: [] };

function roundTrip<In, Out>(serde: Serde<In, Out>, value: In): Out {
  return serde.deserialize(new Uint8Array(serde.serialize(value, context)) as Bytes, context);
}

function hex(...parts: (string | number)[]): Bytes {
  return new Uint8Array(
    Buffer.from(parts.map((part) => (typeof part === "number" ? part.toString(16).padStart(2, "0") : part)).join(""), "hex"),
  );
}

function withSchema(validate: (value: unknown) => unknown): StandardSchema<unknown, unknown> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

describe("every serde", () => {
  it("gives back what was given", () => {
    fc.assert(fc.property(text, (value) => void expect(roundTrip(utf8, value)).toBe(value)));
    fc.assert(fc.property(fc.uint8Array(), (value) => void expect(roundTrip(bytes, value)).toStrictEqual(value)));
    const isSendable = (value: unknown): boolean => value !== null && value !== undefined;
    fc.assert(fc.property(jsonValue.filter(isSendable), (value) => void expect(roundTrip(json(), value)).toStrictEqual(value)));
    fc.assert(fc.property(messagePackValue.filter(isSendable), (value) => void expect(roundTrip(msgpack(), value)).toStrictEqual(value)));
  });

  it("lends the same bytes that it serializes, key and value at once", () => {
    const serdes = [utf8, json<string>(), msgpack<string>()] as const;
    fc.assert(
      fc.property(text, text, fc.constantFrom(...serdes), fc.constantFrom(...serdes), (key, value, keySerde, valueSerde) => {
        const lentKey = lenderOf(keySerde)(key, context, KEY);
        const lentValue = lenderOf(valueSerde)(value, context, VALUE);
        const lent = [[...lentKey], [...lentValue]];
        expect(lent).toStrictEqual([[...keySerde.serialize(key, context)], [...valueSerde.serialize(value, context)]]);
      }),
    );
  });

  // A serde made of ours with `{ ...utf8, serialize }` took the inner way of ours along, and its own serializer was never asked.
  it("is asked by its own method when a program makes it of one of ours", () => {
    for (const ours of [utf8, json<string>(), msgpack<string>()]) {
      const mine: Serde<string> = { ...ours, serialize: (value) => utf8.serialize(value.toUpperCase(), context) };
      for (const role of [KEY, VALUE] as const) expect([...lenderOf(mine)("loud", context, role)]).toStrictEqual([...Buffer.from("LOUD")]);
    }
  });

  it("gives bytes that later calls leave alone, and no Buffer", () => {
    for (const serde of [utf8, json<string>(), msgpack<string>()]) {
      const first = serde.serialize("a".repeat(50), context);
      const kept = [...first];
      for (let i = 0; i < 1000; i += 1) serde.serialize(String(i).repeat(20), context);
      expect([...first]).toStrictEqual(kept);
      expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
    }
  });

  it("refuses what it has no form for", () => {
    const wrong: [Serde<never, unknown>, unknown][] = [
      [utf8, 5],
      [utf8, Symbol("s")],
      [utf8, "half \ud800 a pair"],
      [utf8, `${"long ".repeat(2000)}\udc00`],
      [bytes, "text"],
      [bytes, new Uint16Array(2)],
      [json() as Serde<never, unknown>, () => 1],
      [json() as Serde<never, unknown>, Symbol("s")],
      [json() as Serde<never, unknown>, 5n],
      [json() as Serde<never, unknown>, Number.NaN],
      [json() as Serde<never, unknown>, { toJSON: () => null }],
      [msgpack() as Serde<never, unknown>, () => 1],
      [msgpack() as Serde<never, unknown>, Symbol("s")],
      [msgpack() as Serde<never, unknown>, 2n ** 64n],
      [msgpack() as Serde<never, unknown>, new Set([1])],
      [msgpack() as Serde<never, unknown>, /x/u],
      [msgpack() as Serde<never, unknown>, new Float32Array(2)],
      [msgpack() as Serde<never, unknown>, new ArrayBuffer(2)],
      [msgpack() as Serde<never, unknown>, new Error("x")],
      [msgpack() as Serde<never, unknown>, new Date(Number.NaN)],
      [msgpack() as Serde<never, unknown>, new Map([[1, 2]])],
      [msgpack() as Serde<never, unknown>, { name: "half \udc00 a pair" }],
      [msgpack() as Serde<never, unknown>, { name: `${"long".repeat(30)}\ud800` }],
      [msgpack() as Serde<never, unknown>, { toJSON: () => null }],
      [msgpack() as Serde<never, unknown>, { deep: { nothing: () => 1 } }],
    ];
    for (const [serde, value] of wrong) {
      expect(() => serde.serialize(value as never, context), String(Object.prototype.toString.call(value))).toThrow();
      expect(() => lenderOf(serde)(value as never, context, VALUE)).toThrow();
    }
    // and works on after every refusal
    expect(roundTrip(msgpack<object>(), { a: [1, "two"] })).toStrictEqual({ a: [1, "two"] });
  });

  it("refuses bytes that it did not write, and never hangs or pollutes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        for (const serde of [utf8, json(), msgpack()] as Serde<never, unknown>[]) {
          try {
            serde.deserialize(noise as Bytes, context);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        }
      }),
      { numRuns: 1000 },
    );
    expect(() => utf8.deserialize(hex("ff"), context)).toThrow(TypeError);
    expect(() => utf8.deserialize(hex("ff".repeat(100)), context)).toThrow(TypeError);
    expect(() => json().deserialize(hex("22ff22"), context)).toThrow(TypeError);
    expect(() => json().deserialize(hex(), context)).toThrow(SyntaxError);
    expect(utf8.deserialize(hex("efbbbf41"), context)).toBe("\ufeffA");
  });
});

describe("msgpack", () => {
  it("writes what the specification says", () => {
    const cases: [unknown, Bytes][] = [
      [0, hex("00")],
      [127, hex("7f")],
      [128, hex("cc80")],
      [65536, hex("ce00010000")],
      [2 ** 32, hex("cf0000000100000000")],
      [Number.MAX_SAFE_INTEGER, hex("cf001fffffffffffff")],
      [Number.MIN_SAFE_INTEGER, hex("d3ffe0000000000001")],
      [-1, hex("ff")],
      [-33, hex("d0df")],
      [-(2 ** 31) - 1, hex("d3ffffffff7fffffff")],
      [-0, hex("cb8000000000000000")],
      [1.5, hex("cb3ff8000000000000")],
      [true, hex("c3")],
      ["abc", hex("a3616263")],
      [[1, null], hex("9201c0")],
      [{ a: 1 }, hex("81a16101")],
      [{ a: 1, b: undefined }, hex("81a16101")],
      [[undefined], hex("91c0")],
      [new Map([["a", 1]]), hex("81a16101")],
      [new Uint8Array([1, 2]), hex("c4020102")],
      [new Date(1000), hex("d6ff00000001")],
      [new Date(1500), hex("d7ff7735940000000001")],
      [new Date(-1), hex("c70cff3b8b87c0ffffffffffffffff")],
      [2n ** 64n - 1n, hex("cfffffffffffffffff")],
    ];
    for (const [value, expected] of cases)
      expect(Buffer.from(msgpack().serialize(value, context)).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
  });

  it("is read alike by another reader of MessagePack, and reads what another writes", () => {
    const other = new OriginalPackr({ useRecords: false, int64AsType: "auto" as never, variableMapSize: true });
    const plain = fc.anything({
      values: [fc.boolean(), fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true }).map((n) => n + 0), fc.string()],
      key: fc.string().filter((key) => key !== "__proto__"),
      withNullPrototype: false,
    });
    fc.assert(
      fc.property(
        plain.filter((value) => value !== undefined && value !== null),
        (value) => {
          expect(other.unpack(msgpack().serialize(value, context))).toStrictEqual(roundTrip(msgpack(), value));
          expect(msgpack().deserialize(new Uint8Array(other.pack(value)), context)).toStrictEqual(roundTrip(msgpack(), value));
        },
      ),
    );
  });

  it("gives 64-bit integers as numbers while they are exact and as bigints beyond", () => {
    expect(msgpack().deserialize(hex("cf001fffffffffffff"), context)).toBe(2 ** 53 - 1);
    expect(msgpack().deserialize(hex("cf0020000000000001"), context)).toBe(2n ** 53n + 1n);
    expect(msgpack().deserialize(hex("d3ffe0000000000001"), context)).toBe(-(2 ** 53) + 1);
    expect(msgpack().deserialize(hex("d3ffdfffffffffffff"), context)).toBe(-(2n ** 53n) - 1n);
    expect(msgpack().deserialize(hex("d3ffffffffffffffff"), context)).toBe(-1);
  });

  it("takes __proto__ for a name like any other", () => {
    const hostile = hex(
      0x82,
      0xa9,
      Buffer.from("__proto__").toString("hex"),
      0x81,
      0xa8,
      Buffer.from("polluted").toString("hex"),
      0xc3,
      0xa1,
      "61",
      1,
    );
    const value = msgpack<Record<string, unknown>>().deserialize(hostile, context);
    expect(Object.keys(value)).toStrictEqual(["__proto__", "a"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((value as { polluted?: unknown }).polluted).toBeUndefined();
    expect(roundTrip(msgpack(), value)).toStrictEqual(value);
  });

  it("is bounded in depth both ways, and lets a cycle fail", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 512; level += 1) deep = level % 2 === 0 ? [deep] : { deep };
    expect(roundTrip(msgpack(), deep)).toStrictEqual(deep);
    expect(() => msgpack().serialize([deep], context)).toThrow("nested deeper than 512");
    expect(() => msgpack().deserialize(hex("91".repeat(513), "c0"), context)).toThrow("nested deeper than 512");
    expect(() => msgpack().deserialize(hex("81a161".repeat(1_000_00), "c0"), context)).toThrow("nested deeper than 512");
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => msgpack().serialize(cycle, context)).toThrow("nested deeper than 512");
    expect(roundTrip(msgpack(), deep)).toStrictEqual(deep);
  });

  it("does not believe a length that the bytes cannot hold", () => {
    for (const lie of ["ddffffffff", "dfffffffff", "c6ffffffff00", "dbffffffff", "c9ffffffff01", "a5", "92", "dc0fff01"]) {
      expect(() => msgpack().deserialize(hex(lie), context), lie).toThrow();
    }
    expect(() => msgpack().deserialize(hex(), context)).toThrow();
    expect(() => msgpack().deserialize(hex("0101"), context)).toThrow();
  });

  it("knows no extension but the timestamp: none that runs code, makes a RegExp or defines a record", () => {
    for (const extension of [
      "d40000",
      "d47240",
      "d5724001",
      "d4789292a178a0",
      "d47300",
      "c7027410",
      "d66900000001",
      "d67000000001",
      "d6620000000100",
      "c1",
      "d4ff00",
    ]) {
      expect(() => msgpack().deserialize(hex(extension), context), extension).toThrow();
    }
  });

  it("leaves nothing on the bytes it reads and keeps a name it could not read out of its memory", () => {
    const given = hex("81a16101");
    msgpack().deserialize(given, context);
    expect(Object.getOwnPropertyNames(given)).toStrictEqual(Object.getOwnPropertyNames(new Uint8Array(4)));
    const badName = hex("81a4fffefdfc01");
    for (let i = 0; i < 3; i += 1) expect(() => msgpack().deserialize(badName, context)).toThrow("not UTF-8");
  });

  it("may be used from inside itself", () => {
    const inner = msgpack<unknown>();
    const value = { a: { toJSON: () => [...inner.serialize({ b: 1 }, context)] }, c: 2 };
    expect(roundTrip(inner, value)).toStrictEqual({ a: [0x81, 0xa1, 0x62, 1], c: 2 });
  });

  it("is bundled without code made from strings and without the native addon", () => {
    for (const path of ["src/vendor/msgpackr.js", "dist/vendor/msgpackr.js"]) {
      const code = readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
      expect(code).not.toMatch(/new Function|\beval\s*\(|msgpackr-extract|require\s*\(/u);
      expect(code).toContain("Packr");
    }
    expect(readFileSync(new URL("../../../dist/vendor/msgpackr.LICENSE", import.meta.url), "utf8")).toContain(
      "Permission is hereby granted",
    );
  });

  it("works where code generation from strings is forbidden", async () => {
    const program = `
      import { msgpackr } from ${JSON.stringify(new URL("../../../src/vendor/msgpackr.js", import.meta.url).href)};
      try { new Function("return 1")(); process.exit(3); } catch (error) { if (!(error instanceof EvalError)) throw error; }
      const packr = new (msgpackr().Packr)({ useRecords: false, encodeUndefinedAsNil: true });
      const rows = Array.from({ length: 50 }, (_, i) => ({ id: i, name: "n" + i, at: new Date(i) }));
      for (let i = 0; i < 10; i += 1) if (packr.unpack(packr.pack(rows)).length !== 50) process.exit(4);
      console.log(JSON.stringify(packr.unpack(packr.pack(rows))[49]));`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--disallow-code-generation-from-strings",
      "--input-type=module",
      "-e",
      program,
    ]);
    expect(JSON.parse(stdout)).toStrictEqual({ id: 49, name: "n49", at: new Date(49).toISOString() });
  });
});

describe("a schema", () => {
  const even = withSchema((value) =>
    typeof value === "number" && value % 2 === 0
      ? { value: value * 10 }
      : { issues: [{ message: "not even", path: ["a", { key: 0 }] }, { message: "b" }] },
  );

  it.each([
    ["json", json],
    ["msgpack", msgpack],
  ] as const)("is asked on both sides of %s; its output is what is read", (_name, make) => {
    const serde = make(even);
    expect(roundTrip(serde, 4)).toBe(40);
    expect(() => serde.serialize(3, context)).toThrow("the schema of test refuses the value: a.0: not even; b");
    const odd = make<unknown>().serialize(3, context) as Bytes;
    expect(() => serde.deserialize(odd, context)).toThrow("not even");
  });

  it("that answers with a promise is a UsageError, and its rejection is nobody's", async () => {
    const late = json(withSchema(() => Promise.reject(new Error("late"))));
    expect(() => late.serialize(1, context)).toThrow(UsageError);
    expect(() => late.deserialize(hex("31"), context)).toThrow("synchronous");
    await new Promise((resolve) => setImmediate(resolve));
  });

  it("that answers with nothing is a UsageError, and one with many complaints is told in a few", () => {
    for (const nothing of [undefined, null, true]) {
      expect(() => json(withSchema(() => nothing as never)).serialize(1, context)).toThrow("the schema of test answered with no result");
    }
    const many = json(withSchema(() => ({ issues: Array.from({ length: 40 }, (_, number) => ({ message: `issue ${number}` })) })));
    expect(() => many.serialize(1, context)).toThrow(/issue 0; .*; and \d+ more$/);
  });

  it("that is none is refused when the serde is made", () => {
    for (const wrong of [null, 5, {}, { "~standard": { version: 2, validate: () => ({}) } }, { "~standard": { version: 1 } }]) {
      const refused = (call: string): unknown =>
        expect.objectContaining({ name: "UsageError", message: expect.stringContaining(`${call}: expected a Standard Schema`) as string });
      expect(() => json(wrong as never)).toThrow(refused("json()") as Error);
      expect(() => msgpack(wrong as never)).toThrow(refused("msgpack()") as Error);
    }
  });
});
