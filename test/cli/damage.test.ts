/** What `verify`, `repair`, `dump` and the others say of directories that are not as they were left. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { internalRecord } from "../../src/cli/internal-records.ts";
import { encodeGroupKey, encodeOffsetKey } from "../../src/group/schemas/record-key.ts";
import { type Said, say } from "./session.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "odradek-damage-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const run = (line: string, input?: string): Promise<Said> => say(directory, line.split(" "), input === undefined ? {} : { input });
const objects = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function withOrders(): Promise<void> {
  await run("topics create orders --partitions 2");
  for (const line of ["a\n", "b\n", "c\n"]) await run("produce orders -p 0", line);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(join(directory, file));
  bytes.writeUInt8((bytes[at] as number) ^ 1, at);
  writeFileSync(join(directory, file), bytes);
}

describe("repair", () => {
  it("says in objects what it would do, then what it did", async () => {
    await withOrders();
    flip("orders-0/00000000000000000000.log", 80);
    const planned = await run("repair --json");
    expect(planned).toMatchObject({ code: 1, notes: expect.stringContaining("--execute does it") });
    expect(objects(planned.out).length).toBeGreaterThan(0);
    for (const step of objects(planned.out)) expect(step).toMatchObject({ type: "step", done: false });
    const done = await run("repair --execute --json");
    expect(done.code, done.out).toBe(0);
    expect(objects(done.out)).toEqual(objects(planned.out).map((step) => ({ ...step, done: true })));
    expect((await run("verify")).code).toBe(0);
  });

  it("says in objects what it cannot mend", async () => {
    await withOrders();
    rmSync(join(directory, "orders-1"), { recursive: true });
    const { code, out } = await run("repair --json");
    expect(code).toBe(1);
    expect(objects(out)).toMatchObject([{ type: "defect", kind: "missing", file: "orders-1" }]);
    expect((await run("verify")).out).toContain("orders-1: odradek.json names the partition, but its directory is not there");
  });
});

describe("a partition that does not open", () => {
  it("is described as what it is, without offsets, and no group is set back in it", async () => {
    await withOrders();
    await run("consume orders -G billing -e");
    rmSync(join(directory, "orders-1"), { recursive: true });
    const { code, out } = await run("topics describe orders");
    expect(code).toBe(0);
    expect(out).toMatch(/^ +0 +0 +3 +3 +3 +\d+$/m);
    expect(out).toMatch(/^ +1 +- +- +- +- +-$/m);
    expect(out).toContain("partition 1 did not open: FILE_NOT_FOUND: ");
    expect(objects((await run("topics describe orders --json")).out)).toMatchObject([
      { partitions: [{ partition: 0 }, { partition: 1, error: { code: "FILE_NOT_FOUND" } }] },
    ]);
    const committed = (await run("groups describe billing")).out;
    expect(await run("groups reset billing orders --to end")).toMatchObject({
      code: 1,
      notes: expect.stringContaining("FILE_NOT_FOUND") as string,
    });
    expect((await run("groups describe billing")).out).toBe(committed);
    expect((await run("groups reset billing orders --to beginning -p 0")).code).toBe(0);
  });
});

describe("verify", () => {
  it("says once what to do about a catalogue that cannot be believed, as repair does", async () => {
    await withOrders();
    writeFileSync(join(directory, "odradek.json"), "{}");
    for (const command of ["verify", "repair"]) {
      const { code, out } = await run(command);
      expect(code).toBe(1);
      expect(out).toContain("odradek.json");
      expect(out.split("restore it from a backup"), command).toHaveLength(2);
    }
  });

  it("takes checkpoints beyond a log for damage after a close in order alone, and passes over the broker's own log", async () => {
    await withOrders();
    const file = "cleaner-offset-checkpoint";
    writeFileSync(join(directory, file), "0\n3\n__cluster_metadata 0 9\norders 0 900\nnobody 0 1\n");
    const closed = await run("verify");
    expect(closed.out).toContain(`${file}: says offset 900 of orders-0, whose log ends at 3`);
    expect(closed.out).toContain(`note: ${file}: names nobody-0, which is not there`);
    expect(closed.out).not.toContain("__cluster_metadata");
    expect(closed.code).toBe(1);
    rmSync(join(directory, ".kafka_cleanshutdown"));
    const open = await run("verify");
    expect(open.out).toContain("whose log ends at 3; the next open looks for itself");
    expect(open.code).toBe(0);
  });

  it("holds nothing against a group that was deleted", async () => {
    await withOrders();
    await run("consume orders -G billing -e");
    await run("groups delete billing");
    expect(await run("verify")).toMatchObject({ code: 0, out: expect.stringContaining("no damage") });
    expect((await run("dump __consumer_offsets --json")).out).toContain('"nextOffset":null');
  });
});

describe("dump", () => {
  it("takes a topic by its option as by its place", async () => {
    await withOrders();
    expect((await run("dump -t orders")).out).toBe((await run("dump orders")).out);
  });

  it("says of a group's record without a value what it deletes", () => {
    expect(internalRecord("__consumer_offsets", encodeGroupKey("billing"), null)).toMatchObject({ kind: "group", deleted: true });
    expect(internalRecord("__consumer_offsets", encodeOffsetKey("billing", "orders", 1), null)).toMatchObject({
      kind: "offset",
      groupId: "billing",
      nextOffset: null,
    });
  });
});

describe("a command that opens the log", () => {
  it("tells what recovery cut off, and which book was not believed, and where", async () => {
    cpSync("test/fixtures/golden/data-torn", directory, { recursive: true });
    writeFileSync(join(directory, "log-start-offset-checkpoint"), "rubbish");
    const { code, notes } = await run("topics create mine");
    expect(code, notes).toBe(0);
    expect(notes).toMatch(/^recovery\.cut orders-0: /m);
    expect(notes).toMatch(/^book\.\w+: .*log-start-offset-checkpoint/m);
  });

  it("tells which partition failed, with the error's own sentence", async () => {
    await withOrders();
    const file = join(directory, "orders-0/odradek.state");
    rmSync(file);
    mkdirSync(file);
    const { notes } = await run("consume orders -e -p 0");
    expect(notes).toMatch(/^partition\.failed orders-0: .*error .*odradek\.state/m);
  });

  it("refuses a directory that cannot be looked at in the system's words", async () => {
    expect(await say(join(directory, "x".repeat(300)), ["topics", "list"])).toMatchObject({
      code: 1,
      notes: expect.stringContaining("ENAMETOOLONG"),
    });
  });
});

describe("topics", () => {
  it("of another writer are adopted with both their settings given, and told without an id where they have none", async () => {
    cpSync("test/fixtures/golden/data-torn", directory, { recursive: true });
    rmSync(join(directory, "orders-0/partition.metadata"), { force: true });
    expect((await run("topics describe orders")).out).toContain("orders  topicId -  partitions 1");
    expect(await run("topics adopt orders --partitions 1")).toMatchObject({ code: 2, notes: expect.stringContaining("--cleanup-policy") });
    expect(await run("topics adopt orders --partitions 1 --cleanup-policy delete")).toMatchObject({
      code: 0,
      out: "adopted orders: 1 partition\n",
    });
    expect(await run("topics alter orders --reset nonsense")).toMatchObject({ code: 2, notes: expect.stringContaining("UNKNOWN_CONFIG") });
  });
});
