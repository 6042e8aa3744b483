/** Kafka's four checkpoint files as one book: whose lines are written, which stay as they were found, and when a file is left in peace. */
import { describe, expect, it } from "vitest";
import { Checkpoints } from "../../src/engine/checkpoints.ts";
import { Events } from "../../src/engine/events.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";
import { memory } from "../../src/storage/memory.ts";
import { type FaultyStorage, faultyStorage } from "../../src/testing/faulty-storage.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { bytesOf, get, put, text } from "../log/books/support.ts";

const RECOVERY_POINT = "recovery-point-offset-checkpoint";
const LOG_START = "log-start-offset-checkpoint";
const HIGH_WATERMARK = "replication-offset-checkpoint";
const CLEANER = "cleaner-offset-checkpoint";
const FILES = [RECOVERY_POINT, LOG_START, HIGH_WATERMARK, CLEANER];
const at = (topic: string, partition = 0) => ({ topic, partition });
const nothing = { recoveryPoint: null, logStartOffset: null, firstDirtyOffset: null };

interface Facts {
  readonly recoveryPoint: number;
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly firstDirtyOffset: number | null;
  readonly frozen?: boolean;
}

const logOf = (directory: string, { frozen = false, recoveryPoint, firstDirtyOffset, ...watermarks }: Facts): PartitionLog =>
  ({ spec: { directory, frozen }, recoveryPoint, firstDirtyOffset, watermarks }) as unknown as PartitionLog;

const load = (storage: FaultyStorage): Promise<Checkpoints> => Checkpoints.load(storage, new Events(new ManualClock(), {}), false);

async function bed(
  files: Readonly<Record<string, string>> = {},
): Promise<{ readonly storage: FaultyStorage; readonly checkpoints: Checkpoints }> {
  const storage = faultyStorage(memory());
  for (const [name, lines] of Object.entries(files)) await put(storage, name, bytesOf(lines));
  return { storage, checkpoints: await load(storage) };
}

const textsOf = (storage: FaultyStorage): Promise<string[]> => Promise.all(FILES.map(async (name) => text(await get(storage, name))));
const orders: Facts = { recoveryPoint: 7, logStartOffset: 3, highWatermark: 8, firstDirtyOffset: 5 };

describe("the checkpoints", () => {
  it("say of a partition what each file says of it, 0 included, and null where it has no line", async () => {
    const { checkpoints } = await bed({
      [RECOVERY_POINT]: "0\n2\norders 0 7\norders 1 0\n",
      [LOG_START]: "0\n1\norders 0 3\n",
      [HIGH_WATERMARK]: "0\n1\norders 0 99\n",
      [CLEANER]: "0\n1\norders 0 5\n",
    });
    expect(checkpoints.of(at("orders"))).toEqual({ recoveryPoint: 7, logStartOffset: 3, firstDirtyOffset: 5 });
    expect(checkpoints.of(at("orders", 1))).toEqual({ ...nothing, recoveryPoint: 0 });
    expect(checkpoints.of(at("others"))).toEqual(nothing);
  });

  it("have each log's recovery point, start, high watermark and first dirty offset in a file of its own", async () => {
    const { storage, checkpoints } = await bed();
    await checkpoints.write([logOf("orders-0", orders), logOf("plain-2", { ...orders, firstDirtyOffset: null })]);
    expect(await textsOf(storage)).toEqual([
      "0\n2\norders 0 7\nplain 2 7\n",
      "0\n2\norders 0 3\nplain 2 3\n",
      "0\n2\norders 0 8\nplain 2 8\n",
      // A log that says nothing of it has no line there.
      "0\n1\norders 0 5\n",
    ]);
    expect(checkpoints.of(at("orders"))).toEqual({ recoveryPoint: 7, logStartOffset: 3, firstDirtyOffset: 5 });
  });

  it("leave the lines of what is not ours to change as they were found", async () => {
    const { storage, checkpoints } = await bed({ [RECOVERY_POINT]: "0\n1\ntheirs 0 1\n" });
    await checkpoints.write([logOf("theirs-0", { ...orders, frozen: true }), logOf("orders-0", orders)]);
    expect((await textsOf(storage))[0]).toBe("0\n2\ntheirs 0 1\norders 0 7\n");
    expect((await textsOf(storage))[1]).toBe("0\n1\norders 0 3\n");
  });

  it("write the file alone whose lines have moved, and after a compaction the cleaner's alone", async () => {
    const { storage, checkpoints } = await bed();
    await checkpoints.write([logOf("orders-0", orders)]);
    const replaced = storage.count("replace");
    await checkpoints.write([logOf("orders-0", orders)]);
    expect(storage.count("replace") - replaced).toBe(0);
    await checkpoints.write([logOf("orders-0", { ...orders, highWatermark: 9 })]);
    expect(storage.count("replace") - replaced).toBe(1);
    await checkpoints.writeFirstDirty(logOf("orders-0", { recoveryPoint: 20, logStartOffset: 20, highWatermark: 20, firstDirtyOffset: 6 }));
    expect(storage.count("replace") - replaced).toBe(2);
    expect(await textsOf(storage)).toEqual(["0\n1\norders 0 7\n", "0\n1\norders 0 3\n", "0\n1\norders 0 9\n", "0\n1\norders 0 6\n"]);
    // And one that cannot say how far it came takes no line back.
    await checkpoints.writeFirstDirty(logOf("orders-0", { ...orders, firstDirtyOffset: null }));
    expect(checkpoints.of(at("orders")).firstDirtyOffset).toBe(6);
  });

  it("are the cleaner's alone after a compaction, though others wait to be written", async () => {
    const { storage, checkpoints } = await bed();
    await checkpoints.write([logOf("orders-0", orders), logOf("orders-1", orders)]);
    const replaced = storage.count("replace");
    checkpoints.forget(at("orders", 1));
    await checkpoints.writeFirstDirty(logOf("orders-0", { ...orders, firstDirtyOffset: 6 }));
    expect(storage.count("replace") - replaced).toBe(1);
    expect((await textsOf(storage)).map((lines) => lines.includes("orders 1"))).toEqual([true, true, true, false]);
  });

  it("that a disk does not give are no damage: they are not loaded, and nothing is set aside", async () => {
    const { storage } = await bed({ [LOG_START]: "0\n1\norders 0 3\n" });
    storage.fail({ call: "readAt", name: /log-start/, errno: "EIO" });
    await expect(load(storage)).rejects.toThrow("EIO");
    expect((await storage.list("")).map(({ name }) => name)).toEqual([LOG_START]);
    storage.mend();
    expect((await load(storage)).of(at("orders")).logStartOffset).toBe(3);
  });

  it("are written again after a disk refused them, though nothing has moved since", async () => {
    const { storage, checkpoints } = await bed();
    storage.fail({ call: "replace", errno: "EIO", name: /log-start/ });
    await expect(checkpoints.write([logOf("orders-0", orders)])).rejects.toThrow();
    storage.mend();
    await checkpoints.write([logOf("orders-0", orders)]);
    expect((await textsOf(storage)).map((lines) => lines.split("\n")[2])).toEqual(["orders 0 7", "orders 0 3", "orders 0 8", "orders 0 5"]);
  });

  it("asked to be written at the same time are written one after the other", async () => {
    const { storage, checkpoints } = await bed();
    await Promise.all([7, 8, 9].map((recoveryPoint) => checkpoints.write([logOf("orders-0", { ...orders, recoveryPoint })])));
    expect((await textsOf(storage))[0]).toBe("0\n1\norders 0 9\n");
    expect((await storage.list("")).map(({ name }) => name).sort()).toEqual([...FILES].sort());
  });
});

describe("a partition that is to be forgotten", () => {
  it("has no line from then on, in the files from their next writing on; its neighbours keep theirs", async () => {
    const { storage, checkpoints } = await bed();
    await checkpoints.write([logOf("orders-0", orders), logOf("orders-1", orders)]);
    checkpoints.forget(at("orders"));
    expect([checkpoints.of(at("orders")), checkpoints.of(at("orders", 1)).recoveryPoint]).toEqual([nothing, 7]);
    expect((await textsOf(storage))[0]).toContain("orders 0 7");
    await checkpoints.write([]);
    expect((await textsOf(storage)).map((lines) => lines.split("\n").slice(1, 3).join(" "))).toEqual([
      "1 orders 1 7",
      "1 orders 1 3",
      "1 orders 1 8",
      "1 orders 1 5",
    ]);
  });

  it("for good is written away at once where a file has its line, and costs nothing where none has", async () => {
    const { storage, checkpoints } = await bed({ [HIGH_WATERMARK]: "0\n2\norders 0 99\norders 1 5\n" });
    await checkpoints.forgetDurably(at("nobody"));
    expect(storage.count("replace")).toBe(0);
    await checkpoints.forgetDurably(at("orders"));
    expect([storage.count("replace"), text(await get(storage, HIGH_WATERMARK))]).toEqual([1, "0\n1\norders 1 5\n"]);
    await checkpoints.forgetDurably(at("orders"));
    expect(storage.count("replace")).toBe(1);
    expect((await load(storage)).of(at("orders"))).toEqual(nothing);
  });

  it("for good is written away also where it was forgotten before, and only its line stood there yet", async () => {
    const { storage, checkpoints } = await bed({ [LOG_START]: "0\n1\norders 0 3\n" });
    checkpoints.forget(at("orders"));
    await checkpoints.forgetDurably(at("orders"));
    expect(text(await get(storage, LOG_START))).toBe("0\n0\n");
  });

  it("for good is written away where we wrote its line ourselves, however often the files were written since", async () => {
    const { storage, checkpoints } = await bed();
    for (const recoveryPoint of [7, 8]) await checkpoints.write([logOf("orders-0", { ...orders, recoveryPoint })]);
    await checkpoints.forgetDurably(at("orders"));
    expect(await textsOf(storage)).toEqual(FILES.map(() => "0\n0\n"));
  });

  it("for good leaves what waits to be written for another time, where its own lines are gone or never were", async () => {
    const { storage, checkpoints } = await bed({ [HIGH_WATERMARK]: "0\n2\norders 0 99\norders 1 5\n" });
    await checkpoints.forgetDurably(at("orders"));
    checkpoints.forget(at("orders", 1));
    const replaced = storage.count("replace");
    for (const topic of ["orders", "nobody"]) await checkpoints.forgetDurably(at(topic));
    expect(storage.count("replace") - replaced).toBe(0);
    expect(text(await get(storage, HIGH_WATERMARK))).toBe("0\n1\norders 1 5\n");
  });

  // A refusal may come after the work: nobody knows which lines stand in the file then.
  it("for good is written away where its line may stand, though its writing was refused and another file's went well since", async () => {
    const { storage, checkpoints } = await bed();
    storage.fail({ call: "replace", errno: "EIO", name: /recovery-point/, afterEffect: true });
    await expect(checkpoints.write([logOf("orders-0", { ...orders, firstDirtyOffset: null })])).rejects.toThrow("EIO");
    expect(text(await get(storage, RECOVERY_POINT))).toBe("0\n1\norders 0 7\n");
    await checkpoints.writeFirstDirty(logOf("keyed-0", orders));
    await checkpoints.forgetDurably(at("orders"));
    expect(text(await get(storage, RECOVERY_POINT))).toBe("0\n0\n");
  });
});
