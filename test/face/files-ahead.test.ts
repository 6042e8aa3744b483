/** The files of a log that is written durably on a real disk: longer than their batches while it is open, and how others find them then. */
import { cpSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPartitionFiles } from "../prove/kills/independent-reader.ts";
import { openLog, temporaryDirectory } from "./support.ts";

const LOG = "orders-0/00000000000000000000.log";
const FIRST_LONG_BYTE_LENGTH = 64 * 1024;

describe.skipIf(process.platform !== "linux")("the file of a segment that is being written", () => {
  it("is longer than its batches once it has taken some, takes no more room for it, and is as long as they are when the log is closed", async () => {
    const source = temporaryDirectory();
    const log = await openLog(source);
    await log.createTopic("orders");
    const producer = log.producer();
    const send = async (count: number): Promise<void> => {
      await producer.sendBatch(Array.from({ length: count }, (_, index) => ({ topic: "orders", value: `${index}`.padEnd(1000, ".") })));
    };
    const logByteLength = async (): Promise<number> => (await log.describeTopic("orders")).partitions[0]?.byteLength ?? -1;
    await send(10);
    expect(statSync(join(source, LOG)).size).toBe(await logByteLength());
    for (let round = 0; round < 10; round += 1) await send(20);
    const written = await logByteLength();
    expect(written).toBeGreaterThan(2 * FIRST_LONG_BYTE_LENGTH);
    const { size, blocks } = statSync(join(source, LOG));
    expect(size).toBeGreaterThan(written);
    expect(size).toBeLessThanOrEqual(2 * written);
    // A hole: what the system has given to the file is what was written, in whole pages.
    expect(blocks * 512).toBeLessThan(written + 2 * 64 * 1024);
    // As a kill would leave it.
    const killed = temporaryDirectory();
    cpSync(source, killed, { recursive: true });
    // By the format alone every record is there, and a length of 0 is the end.
    const files = readPartitionFiles(join(killed, "orders-0"));
    expect([files.records.length, files.byteLength, files.torn]).toEqual([210, written, expect.stringContaining("a length of 0")]);
    const next = await openLog(killed);
    expect((await next.describeTopic("orders")).partitions[0]).toMatchObject({ logEndOffset: 210, byteLength: written });
    expect(statSync(join(killed, LOG)).size).toBe(written);
    await next.close();
    await log.close();
    expect(statSync(join(source, LOG)).size).toBe(written);
    expect(readPartitionFiles(join(source, "orders-0")).torn).toBeNull();
  });
});
