/** A segment that is damaged in one place and lacks its end: each read is told what is true of its own offset. */
import { describe, expect, it } from "vitest";
import { CorruptionError } from "../../src/base/errors.ts";
import { memory } from "../../src/storage/memory.ts";
import { created, opened, type RigOptions, send } from "./log-rig.ts";

const OPTIONS: RigOptions = { config: { segmentBytes: 400, indexIntervalBytes: 100, maxMessageBytes: 350 } };
const FILE = "orders-0/00000000000000000000.log";

describe("a read behind damage, of an offset that the file has lost", () => {
  // A flush lied, the power went: a sealed segment began with zeros, then a good batch, then nothing where two more had been. Asked for
  // one of those, the log told of the zeros before, "the next readable offset is 1": whoever followed that read the good batch, asked
  // for the lost one again, and went round and round. What is whole behind the damage now shows that the offset was not in it.
  it("is told of the loss, and led on, not back to before the offset", async () => {
    const storage = memory();
    const { log } = await created(storage, OPTIONS);
    const first = await send(log, "a".repeat(60));
    for (const value of ["b", "c"]) await send(log, value.repeat(60));
    await send(log, "d".repeat(220));
    await log.close(true);
    const file = await storage.open(FILE, { create: "no" });
    file.writeAt(new Uint8Array(first.byteLength), 0);
    file.truncate(file.byteLength() - first.byteLength);
    await file.close();
    const next = await opened(storage, { ...OPTIONS, cleanShutdown: true });
    const reached: number[] = [];
    for (let offset: number | null = 0; offset !== null && offset < 4 && reached.length < 10; ) {
      const from: number = offset;
      offset = await next.log.read(from, 1).then(
        () => {
          reached.push(from);
          return from + 1;
        },
        (error: unknown) => {
          expect(error).toBeInstanceOf(CorruptionError);
          const { nextReadableOffset, offsetRange } = error as CorruptionError;
          expect(offsetRange[0]).toBe(from);
          expect(nextReadableOffset).toBeGreaterThan(from);
          return nextReadableOffset;
        },
      );
    }
    expect(reached).toEqual([1, 3]);
    await next.log.close(false);
  });
});
