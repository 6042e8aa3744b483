/** What a program met that used the face by its description alone: each was a wrong answer, a wait or a sentence of no use. */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { attachPort, bytes, memory, open, servePort } from "../../src/index.ts";
import { openLog, temporaryDirectory } from "./support.ts";

const usage = (code: string): object => ({ name: "UsageError", code });

/** A view whose memory was handed over, as to a worker. */
function transferred(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

describe("bytes whose memory was handed to another thread", () => {
  // sendBatch appended them as a value of no bytes, and send threw V8's TypeError.
  it("are refused by name, as value, key and header, and nothing is appended", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    const producer = log.producer({ key: bytes, value: bytes });
    const value = Uint8Array.of(1);
    for (const record of [
      { topic: "orders", value: transferred() },
      { topic: "orders", key: transferred(), value },
    ]) {
      const refused = { name: "SerdeError", code: "SERIALIZATION_FAILED", message: expect.stringContaining("handed over") };
      await expect(producer.send(record)).rejects.toMatchObject(refused);
      await expect(producer.sendBatch([{ topic: "orders", value }, record])).rejects.toMatchObject(refused);
    }
    const headers = [["trace", transferred()]] as const;
    await expect(producer.send({ topic: "orders", value, headers })).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    await expect(producer.sendBatch([{ topic: "orders", value, headers }])).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
    expect((await producer.send({ topic: "orders", value: new Uint8Array(0) })).offset).toBe(0);
    await log.close();
  });
});

describe("a directory that is open already", () => {
  // Of the packed package it named a line of our own: the names of its chunks were not known to be ours.
  it("names the line of the program that opened it, however deep the call", async () => {
    const path = temporaryDirectory();
    const here = fileURLToPath(import.meta.url);
    const deeper = async (depth: number): Promise<Awaited<ReturnType<typeof open>>> =>
      depth === 0 ? await open(path) : await deeper(depth - 1);
    const log = await deeper(3);
    await expect(open(path)).rejects.toMatchObject({
      ...usage("ALREADY_OPEN"),
      message: expect.stringMatching(new RegExp(`it was opened at [^/]*${here.replaceAll(".", "\\.")}:\\d+`)),
    });
    await log.close();
  });
});

describe("a backup", () => {
  // It was made, as a directory that a Kafka broker refuses to start beside, or one that bears a partition's name.
  it("has no place within the directory it is of, and none is made there", async () => {
    const path = temporaryDirectory();
    for (const home of [path, pathToFileURL(`${path}/`)]) {
      const log = await open(home);
      await log.createTopic("orders", { ifNotExists: true });
      for (const inside of [
        join(path, "copy"),
        join(path, "orders-9"),
        join(path, "orders-0", "copy"),
        pathToFileURL(join(path, "copy")),
      ]) {
        await expect(log.backup(inside)).rejects.toMatchObject(usage("INVALID_ARGUMENT"));
      }
      expect((await log.backup(join(temporaryDirectory(), "copy"))).files).toBeGreaterThan(0);
      await log.close();
    }
    const beside = await open(path);
    expect((await beside.backup(`${path}-copy`)).files).toBeGreaterThan(0);
    await beside.close();
  });
});

describe("a consumer", () => {
  it("that is told to pause a partition, not a list of them, says what it expects", async () => {
    const log = await openLog(memory());
    await log.createTopic("orders");
    const consumer = log.consumer();
    const at = { topic: "orders", partition: 0 };
    await consumer.assign([at]);
    for (const call of ["pause", "resume"] as const) {
      expect(() => consumer[call](at as never)).toThrow(
        expect.objectContaining({
          ...usage("INVALID_ARGUMENT"),
          message: `${call}: expected an array of { topic, partition }, found an object`,
        }),
      );
    }
    await log.close();
  });
});

describe("a port", () => {
  // The process stayed for twenty seconds: the session that nobody came to was waited for.
  it("is let go when its log closes, and a closed log is served to nobody", async () => {
    const log = await openLog(memory());
    const { port1, port2 } = new MessageChannel();
    servePort(log, port1);
    const ended = new Promise((resolve) => (port2 as unknown as EventTarget).addEventListener("close", resolve));
    port2.start();
    await log.close();
    await ended;
    const unused = new MessageChannel();
    expect(() => servePort(log, unused.port1)).toThrow(expect.objectContaining(usage("LOG_CLOSED")));
    unused.port1.close();
  });

  // The closed engine went on answering what it had at hand.
  it("that had come answers nothing of a log that was closed", async () => {
    const log = await openLog(memory());
    const { port1, port2 } = new MessageChannel();
    servePort(log, port1);
    const attached = await attachPort(port2);
    expect(await attached.listTopics()).toEqual([]);
    await log.close();
    await expect(attached.listTopics()).rejects.toMatchObject({ code: "NETWORK_EXCEPTION" });
    await attached.close();
  });

  // The signal was looked at before and after the greeting, which is waited for as long as a port may take.
  it("that nobody serves is not waited for once the signal says so", async () => {
    const { port1, port2 } = new MessageChannel();
    const controller = new AbortController();
    const reason = new Error("enough");
    const attaching = attachPort(port2, { signal: controller.signal });
    // By then the greeting is on its way.
    await new Promise((resolve) => port1.once("message", resolve));
    controller.abort(reason);
    await expect(attaching).rejects.toBe(reason);
    port1.close();
  });
});
