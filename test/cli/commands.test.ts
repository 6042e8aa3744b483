/** What the commands answer a program (--json) and a person, and the sentences in which they refuse. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLineError, failureOf, PipeClosedError } from "../../src/cli/cli-error.ts";
import { internalRecord } from "../../src/cli/internal-records.ts";
import { Output } from "../../src/cli/output.ts";
import { decodeShown, shownBytes } from "../../src/cli/shown-value.ts";
import { encodeTransactionKey } from "../../src/transaction/schemas/transaction-key.ts";
import { type Said, say } from "./session.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "odradek-session-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const run = (line: string, input?: string): Promise<Said> => say(directory, line.split(" "), input === undefined ? {} : { input });
const json = async (line: string, input?: string): Promise<unknown[]> => {
  const { code, out, notes } = await run(`${line} --json`, input);
  expect(code, notes).toBe(0);
  return out
    .split("\n")
    .slice(0, -1)
    .map((text) => JSON.parse(text) as unknown);
};

describe("topics", () => {
  it("are made, told, changed and deleted, in lines and in objects", async () => {
    expect(await json("topics create orders --partitions 2 --config preallocate=true")).toMatchObject([{ name: "orders" }]);
    expect((await run("topics create plain")).code).toBe(0);
    expect(await json("topics list")).toMatchObject([{ name: "orders" }, { name: "plain" }]);
    expect(await json("topics describe -t orders")).toMatchObject([{ name: "orders", config: { preallocate: true } }]);
    expect((await run("topics describe plain")).out).toContain("default settings");
    expect((await run("topics describe orders")).out).toContain("preallocate=true");
    expect(await json("topics alter orders --config preallocate=false")).toMatchObject([{ config: { preallocate: false } }]);
    expect(await json("topics alter orders --partitions 3")).toMatchObject([{ name: "orders" }]);
    expect(await run("topics alter orders --config preallocate=maybe")).toMatchObject({ code: 2 });
    expect(await json("topics delete orders")).toEqual([{ name: "orders", deleted: true }]);
    expect(await run("topics delete")).toMatchObject({ code: 2, notes: expect.stringContaining("expected a topic") });
    expect(await run("topics delete plain -t plain")).toMatchObject({
      code: 2,
      notes: expect.stringContaining('more words than expected: "plain"'),
    });
  });
});

describe("produce", () => {
  it("takes JSON lines in the face's field names, and says what a line is not", async () => {
    await run("topics create orders");
    const good = [
      '{"key":"a","value":"1","headers":[["h","text"],["b",{"base64":"AAE="}],["n",null]],"timestamp":5}',
      '{"value":null,"key":{"base64":"AAE="},"headers":null,"partition":0,"timestamp":null}',
    ].join("\n");
    expect(await json("produce orders", `${good}\n`)).toMatchObject([{ offset: 0 }, { offset: 1 }]);
    expect(await json("consume orders -e --key utf8 --value utf8")).toMatchObject([
      { key: "a", value: "1", timestamp: 5 },
      { key: "\u0000\u0001", value: null },
    ]);
    for (const [line, words] of [
      ["5", "expected an object"],
      ["[1]", "expected an object"],
      ["null", "expected an object"],
      ['{"value":"a","ofset":1}', 'there is no field "ofset"'],
      ['{"key":"a"}', 'expected a field "value"'],
      ['{"value":"a","partition":"one"}', "partition: expected a number"],
      ['{"value":"a","headers":{"a":"b"}}', "headers: expected"],
      ['{"value":"a","headers":[["a"]]}', "headers: expected"],
      ['{"value":"a","headers":[["a",5]]}', 'header "a": expected a text'],
      ['{"value":5}', "expected a text or"],
      ["{", "expected JSON"],
    ] as const) {
      expect(await run("produce orders --json", `${line}\n`), line).toMatchObject({ code: 1, notes: expect.stringContaining(words) });
    }
    expect(await json("produce orders --value json", '{"value":{"deep":[1]}}\n')).toHaveLength(1);
    expect((await run("consume orders -e -o 2 --value json")).out).toContain('{"deep":[1]}');
  });

  it("takes lines with a key by a delimiter, or one for all, empty ones for null when asked", async () => {
    await run("topics create orders");
    for (const line of ["produce orders -K : -Z", "produce orders -k fixed -Z"])
      expect((await run(line, "a:1\n:2\n\nb:\n")).code, line).toBe(0);
    const records = (await json("consume orders -e --key utf8 --value utf8")) as { key: unknown; value: unknown }[];
    expect(records.map(({ key, value }) => [key, value])).toEqual([
      ["a", "1"],
      [null, "2"],
      [null, null],
      ["b", null],
      ["fixed", "a:1"],
      ["fixed", ":2"],
      ["fixed", null],
      ["fixed", "b:"],
    ]);
    expect(await run("produce orders -K")).toMatchObject({ code: 2 });
    expect(await run("produce orders -p minus")).toMatchObject({ code: 2, notes: expect.stringContaining('found "minus"') });
  });

  it("tells a person at a terminal how many were sent, and stops when told to", async () => {
    await run("topics create orders");
    const sent = await say(directory, ["produce", "orders"], { input: "a\nb\n", isTerminal: true });
    expect(sent).toMatchObject({ code: 0, notes: expect.stringContaining("2 records sent") });
    const stopped = new AbortController();
    stopped.abort(new CommandLineError("stopped"));
    await say(directory, ["produce", "orders"], { input: "c\n", signal: stopped.signal });
    expect(await json("consume orders -e")).toHaveLength(2);
  });
});

describe("groups", () => {
  it("are listed, described, set back and deleted, in lines and in objects", async () => {
    await run("topics create orders");
    await run("produce orders", "a\nb\nc\n");
    expect((await run("consume orders -G readers -e")).out).toBe("a\nb\nc\n");
    expect(await json("groups list")).toEqual([{ groupId: "readers" }]);
    expect(await json("groups describe readers")).toMatchObject([{ groupId: "readers" }]);
    expect((await run("groups describe readers")).out).toContain("orders");
    expect(await run("groups reset readers orders --to stored")).toMatchObject({ code: 2 });
    expect(await run("groups reset readers orders --to beginning -p 7")).toMatchObject({ code: 2 });
    for (const to of ["beginning", "end", "1", "@0", "@99999999999999"]) {
      expect(await run(`groups reset readers orders --to ${to}`), to).toMatchObject({ code: 0 });
    }
    expect(await json("groups delete readers")).toEqual([{ groupId: "readers", deleted: true }]);
  });
});

describe("quotas, verify, repair and backup", () => {
  it("refuse what they cannot do, in words", async () => {
    await run("topics create orders");
    await run("produce orders", "a\n");
    expect(await run("quotas set app -c wholly=1")).toMatchObject({
      code: 2,
      notes: expect.stringContaining('there is no quota "wholly"; there are'),
    });
    expect(await run("quotas set app -c producerByteRat=1")).toMatchObject({ code: 2, notes: expect.stringContaining("did you mean") });
    expect(await run("backup")).toMatchObject({ code: 2 });
    expect(await run(`verify ${directory}`)).toMatchObject({ code: 2 });
    expect((await run("repair")).code).toBe(0);
    expect(await json("repair")).toBeInstanceOf(Array);
    expect((await run(`backup ${join(directory, "../copy-of-it")}-${process.pid}`)).out).toMatch(/^copied \d+ files/);
    rmSync(`${join(directory, "../copy-of-it")}-${process.pid}`, { recursive: true, force: true });
    expect(await say("", ["topics", "list"])).toMatchObject({ code: 2, notes: expect.stringContaining("found an empty one") });
  });
});

describe("what is shown", () => {
  it("of a failure is its sentence, whatever was thrown", () => {
    expect(failureOf("a text")).toEqual({ exitCode: 1, code: "UNKNOWN_SERVER_ERROR", message: "a text", details: {} });
    expect(failureOf(null)).toMatchObject({ message: "null" });
    expect(failureOf({ code: 5, message: 6 })).toMatchObject({ code: "UNKNOWN_SERVER_ERROR", message: "[object Object]" });
  });

  it("of bytes is what they say, or that they do not say it", () => {
    const bytes = Buffer.from("text");
    expect(shownBytes(bytes, "utf8", "here")).toBe(bytes);
    expect(() => decodeShown(Uint8Array.of(0xff), "utf8", "here")).toThrow("here: 1 bytes are no utf8");
    expect(() => shownBytes(Buffer.from("{"), "json", "here")).toThrow("here: 1 bytes are no json");
  });

  it("of an internal record is what it deletes, or why it cannot be read", () => {
    const key = encodeTransactionKey("t");
    expect(internalRecord("__transaction_state", key, null)).toEqual({ kind: "transaction", transactionalId: "t", deleted: true });
    const other = Uint8Array.from(key);
    other[1] = 9;
    expect(internalRecord("__transaction_state", other, null)).toEqual({ kind: "other" });
    expect(internalRecord("__transaction_state", key.subarray(0, 3), null)).toHaveProperty("unreadable");
    expect(internalRecord("orders", key, null)).toBe(null);
  });
});

describe("standard output", () => {
  async function broken(code: string): Promise<unknown> {
    const out = new Output(
      new Writable({
        write(_piece, _encoding, done) {
          done(Object.assign(new Error(code), { code }));
        },
      }),
    );
    out.line("first");
    const told = await out.flush().catch((error: unknown) => error);
    expect(out.line("x".repeat(70_000))).toBe(true);
    await expect(out.ready()).rejects.toBe(told);
    await expect(out.flush()).rejects.toBe(told);
    return told;
  }

  it("whose reader has gone says so, quietly; a full disk is an error", async () => {
    expect(await broken("EPIPE")).toBeInstanceOf(PipeClosedError);
    expect(await broken("ENOSPC")).toMatchObject({ code: "ENOSPC" });
  });
});
