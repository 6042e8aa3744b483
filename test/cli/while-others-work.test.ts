/** Commands while somebody else reads, writes, stops or breaks off: what is printed, sent and told then. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLineError, PipeClosedError } from "../../src/cli/cli-error.ts";
import { Output } from "../../src/cli/output.ts";
import { type Said, type SessionOptions, say } from "./session.ts";

let directory = "";
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "odradek-others-"));
  await run("topics create orders");
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const run = (line: string, options: SessionOptions = {}): Promise<Said> => say(directory, line.split(" "), options);
const consumed = async (more = ""): Promise<string> => (await run(`consume orders -e${more}`)).out;

describe("produce", () => {
  it("keeps what was sent before its input broke, and tells why it broke", async () => {
    const input = Readable.from(
      (async function* () {
        yield Buffer.from("a\nb\n");
        await sleep(5);
        throw new Error("the cable was pulled");
      })(),
    );
    expect(await run("produce orders", { input })).toMatchObject({ code: 1, notes: expect.stringContaining("the cable was pulled") });
    expect(await consumed()).toBe("a\nb\n");
  });

  it("ends in order when it is stopped while it waits for input, what it had read being sent", async () => {
    const stop = new AbortController();
    const input = new Readable({ read() {} });
    input.push("a\nb\n");
    const running = run("produce orders", { input, signal: stop.signal });
    await sleep(200);
    stop.abort(new CommandLineError("stopped"));
    expect(await running).toMatchObject({ code: 0, notes: "" });
    expect(await consumed()).toBe("a\nb\n");
  });

  it("answers each of very many records, and sends none twice where input and batch end together", async () => {
    const said = await run("produce orders --json", { input: '{"value":"x"}\n'.repeat(1000) });
    expect(said.out.split("\n").slice(0, -1)).toHaveLength(1000);
    expect((await consumed()).length).toBe(2000);
  });

  it("tells a person how far it is while input comes slowly", async () => {
    const input = Readable.from(
      (async function* () {
        yield Buffer.from("a\n");
        await sleep(520);
        yield Buffer.from("b\n");
      })(),
    );
    const { notes } = await run("produce orders", { input, isTerminal: true });
    expect(notes).toBe("2 records sent\n2 records sent");
  });
});

describe("consume", () => {
  it("reads a partition whole that was added while the topic was followed", async () => {
    const stop = new AbortController();
    let isWritten: Promise<unknown> | null = null;
    const addPartition = async (): Promise<void> => {
      await run("topics alter orders --partitions 2");
      await run("produce orders -p 1", { input: "new\n" });
    };
    await run("produce orders", { input: "old\n" });
    const { out, code } = await run("consume orders", {
      signal: stop.signal,
      onOutput: (text) => {
        if (text === "old\n") isWritten ??= addPartition();
        if (text.includes("new")) stop.abort(new CommandLineError("stopped"));
      },
    });
    await isWritten;
    expect({ out, code }).toEqual({ out: "old\nnew\n", code: 0 });
  });

  // A partition that had reached the time was paused, and a paused one has no end: with others beside it that never reached the
  // time the command hung, everything printed.
  it("until a time reads each partition up to there, and to its end where nothing is as late", async () => {
    await run("topics alter orders --partitions 3");
    for (const [partition, times] of [
      [0, [10, 20, 30]],
      [1, [10, 30, 40]],
      [2, [10]],
    ] as const) {
      const input = times.map((timestamp) => JSON.stringify({ value: `${partition}@${timestamp}`, timestamp })).join("\n");
      await run(`produce orders --json -p ${partition}`, { input });
    }
    const upTo = async (time: number): Promise<string[]> => (await consumed(` -o e@${time}`)).split("\n").slice(0, -1).sort();
    expect(await upTo(30)).toEqual(["0@10", "0@20", "1@10", "2@10"]);
    expect(await upTo(10)).toEqual([]);
    expect(await upTo(99)).toHaveLength(7);
  });

  it("as a member prints more than its reader takes at once, and commits it all", async () => {
    await run("produce orders", { input: `${"v".repeat(400)}\n`.repeat(1000) });
    expect((await run("consume orders -G billing -e")).out).toHaveLength(401_000);
    expect((await run("consume orders -G billing -e")).out).toBe("");
  });
});

describe("groups describe", () => {
  it("tells of a group that has committed nothing", async () => {
    await run("consume orders -G late -o end -e");
    expect((await run("groups describe late")).out).toMatch(/^late {2}Empty {2}generation \d+\n/);
  });
});

describe("standard output", () => {
  // A stream's write hears of its failure before the stream does: a reader that left just then was told to the person as a failure.
  it("whose reader leaves behind the last bytes ends as quietly as in their midst", async () => {
    let count = 0;
    const out = new Output(
      new Writable({
        write(_piece, _encoding, done) {
          count += 1;
          done(count === 1 ? null : Object.assign(new Error("EPIPE"), { code: "EPIPE" }));
        },
      }),
    );
    out.line("all there is");
    await expect(out.flush()).rejects.toBeInstanceOf(PipeClosedError);
    await expect(out.ready()).rejects.toBeInstanceOf(PipeClosedError);
  });
});
