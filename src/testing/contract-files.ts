/** The storage contract, the part on files: what is written stands, and what is closed stays closed. */
import { contentOf, fileWith, firstDifference, type Promises, pattern, refusal, type TestFramework } from "./contract-kit.ts";
import { SeededRandom } from "./seeded-random.ts";

export function fileContract(promise: Promises, expect: TestFramework["expect"]): void {
  promise("reads back what was written, where it was written", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    expect(file.writeAt(pattern(100), 0)).toEqual(100);
    expect(file.writeAt(pattern(50, 7), 60)).toEqual(50);
    const bytes = new Uint8Array(200);
    expect(file.readAt(bytes, 0)).toEqual(110);
    expect(bytes.subarray(0, 60)).toEqual(pattern(60));
    expect(bytes.subarray(60, 110)).toEqual(pattern(50, 7));
    await file.close();
  });

  promise("fills a read only as far as the file goes, and with nothing behind its end", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(10), 0);
    const bytes = new Uint8Array(8).fill(9);
    expect(file.readAt(bytes, 6)).toEqual(4);
    expect([...bytes.subarray(4)]).toEqual([9, 9, 9, 9]);
    expect(file.readAt(bytes, 10)).toEqual(0);
    expect(file.readAt(bytes, 1_000_000)).toEqual(0);
    await file.close();
  });

  promise("takes a write and a read of no bytes", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    expect(file.writeAt(new Uint8Array(0), 5)).toEqual(0);
    expect(file.byteLength()).toEqual(0);
    expect(file.readAt(new Uint8Array(0), 0)).toEqual(0);
    await file.close();
  });

  promise("writes and reads part of a larger buffer", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    const buffer = pattern(64);
    expect(file.writeAt(buffer.subarray(16, 32), 0)).toEqual(16);
    const into = new Uint8Array(64);
    expect(file.readAt(into.subarray(40, 48), 4)).toEqual(8);
    expect(into.subarray(40, 48)).toEqual(buffer.subarray(20, 28));
    expect([into[39], into[48]]).toEqual([0, 0]);
    await file.close();
  });

  promise("keeps what it was given when the buffer changes afterwards", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    const buffer = pattern(600);
    file.writeAt(buffer, 0);
    buffer.fill(0);
    const bytes = new Uint8Array(600);
    file.readAt(bytes, 0);
    expect(bytes).toEqual(pattern(600));
    await file.close();
  });

  promise("reads a gap as zeros", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(3), 5000);
    expect(file.byteLength()).toEqual(5003);
    const bytes = new Uint8Array(5000).fill(1);
    file.readAt(bytes, 0);
    expect(bytes).toEqual(new Uint8Array(5000));
    await file.close();
  });

  promise("truncates: what is cut is gone, and what grows again is zeros", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(5000), 0);
    file.truncate(1000);
    expect(file.byteLength()).toEqual(1000);
    file.truncate(3000);
    file.writeAt(pattern(1), 4000);
    const bytes = new Uint8Array(4001);
    expect(file.readAt(bytes, 0)).toEqual(4001);
    expect(bytes.subarray(0, 1000)).toEqual(pattern(1000));
    expect(bytes.subarray(1000, 4000)).toEqual(new Uint8Array(3000));
    file.truncate(0);
    expect(file.byteLength()).toEqual(0);
    await file.close();
  });

  promise("keeps a length that was made far ahead of what is written, reads zeros there, and gives it back", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    const byteLength = Math.max(20_000, driver.aheadByteLength ?? 0);
    file.writeAt(pattern(10), 0);
    file.truncate(byteLength);
    expect(file.writeAt(pattern(10), 10)).toEqual(10);
    await file.sync();
    expect(file.byteLength()).toEqual(byteLength);
    const bytes = new Uint8Array(byteLength).fill(1);
    expect(file.readAt(bytes, 0)).toEqual(byteLength);
    expect([bytes.subarray(0, 10), bytes.subarray(10, 20)]).toEqual([pattern(10), pattern(10)]);
    expect(firstDifference(bytes.subarray(20), new Uint8Array(byteLength - 20))).toEqual(0);
    file.truncate(20);
    await file.sync();
    expect(file.byteLength()).toEqual(20);
    await file.close();
  });

  promise("writes a mebibyte in one call or answers how much it took", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    const bytes = new SeededRandom(1).bytes(1 << 20);
    let done = 0;
    while (done < bytes.length) done += file.writeAt(bytes.subarray(done), done);
    const back = new Uint8Array(bytes.length);
    expect(file.readAt(back, 0)).toEqual(bytes.length);
    expect(firstDifference(back, bytes)).toEqual(0);
    await file.close();
  });

  promise("agrees with an array of bytes through any history of writes and truncations", async (driver) => {
    const random = new SeededRandom("history");
    let file = await driver.open("d.log", { create: "new" });
    let model = new Uint8Array(0);
    for (let step = 0; step < 200; step++) {
      const position = random.integer(0, 5000);
      const what = random.integer(0, 20);
      if (what < 14) {
        const bytes = random.bytes(random.integer(1, 700));
        expect(file.writeAt(bytes, position)).toEqual(bytes.length);
        const grown = new Uint8Array(Math.max(model.length, position + bytes.length));
        grown.set(model);
        grown.set(bytes, position);
        model = grown;
      } else if (what < 17) {
        file.truncate(position);
        const cut = new Uint8Array(position);
        cut.set(model.subarray(0, position));
        model = cut;
      } else if (what < 18) await file.sync();
      else {
        await file.close();
        file = await driver.open("d.log", { create: "no" });
      }
      const bytes = new Uint8Array(model.length + 10);
      expect(file.readAt(bytes, 0)).toEqual(model.length);
      expect(firstDifference(bytes.subarray(0, model.length), model)).toEqual(0);
    }
    await file.close();
  });

  promise("says when a file was last changed", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(1), 0);
    const ageMs = Math.abs(Date.now() - file.modifiedAt());
    expect(Math.floor(ageMs / 60_000)).toEqual(0);
    await file.close();
  });

  promise("refuses a position that is not a whole number from 0", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
      await refusal(() => file.readAt(new Uint8Array(1), position));
      await refusal(() => file.writeAt(new Uint8Array(1), position));
      await refusal(() => file.truncate(position));
    }
    expect(file.byteLength()).toEqual(0);
    await file.close();
  });

  promise("refuses every call on a closed file, and closes twice in peace", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(10), 0);
    const closing = file.close();
    await refusal(() => file.writeAt(pattern(1), 0));
    await closing;
    await file.close();
    await refusal(() => file.readAt(new Uint8Array(1), 0));
    await refusal(() => file.writeAt(pattern(1), 0));
    await refusal(() => file.truncate(0));
    await refusal(() => file.byteLength());
    await refusal(() => file.modifiedAt());
    await refusal(() => file.sync());
    await file.readAhead(0, 10);
    expect(await contentOf(driver, "a.log")).toEqual(pattern(10));
  });

  promise("refuses to change a file that was opened readOnly", async (driver) => {
    await fileWith(driver, "a.log", pattern(10));
    const file = await driver.open("a.log", { create: "no", readOnly: true });
    await refusal(() => file.writeAt(pattern(5, 9), 0));
    await refusal(() => file.truncate(0));
    await file.close();
    expect(await contentOf(driver, "a.log")).toEqual(pattern(10));
  });

  promise("shows one file's bytes to everyone who has it open", async (driver) => {
    const writer = await driver.open("a.log", { create: "new" });
    const reader = await driver.open("a.log", { create: "no", readOnly: true });
    writer.writeAt(pattern(10), 0);
    const bytes = new Uint8Array(10);
    expect(reader.readAt(bytes, 0)).toEqual(10);
    expect(bytes).toEqual(pattern(10));
    await writer.close();
    expect(reader.readAt(bytes, 0)).toEqual(10);
    await reader.close();
  });

  promise("flushes, also many times at once and with a close behind", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(10), 0);
    await Promise.all([file.sync(), file.sync(), file.sync()]);
    file.writeAt(pattern(10), 10);
    const last = file.sync();
    await last;
    await file.close();
  });

  promise("never fails a readAhead, wherever it points", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(5000), 0);
    await file.readAhead(0, 5000);
    await file.readAhead(4000, 1_000_000);
    await file.readAhead(1_000_000, 10);
    await file.readAhead(0, 0);
    await file.close();
  });

  promise("finishes a readAhead under which the file is closed", async (driver) => {
    const file = await driver.open("a.log", { create: "new" });
    file.writeAt(pattern(5000), 0);
    await Promise.all([file.readAhead(0, 5000), file.close()]);
  });
}
