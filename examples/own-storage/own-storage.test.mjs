/** The storage keeps the contract, and a log on it keeps its promise: what was acknowledged is in the store, whenever anyone looks. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { open, utf8 } from "odradek";
import { storageContract } from "odradek/testing";
import { keyValueStorage } from "./key-value-storage.mjs";

/** A store that is slow by chance: what is asked first need not be done first. */
function slowStore(entries = new Map()) {
  const later = async (work) => {
    if (Math.random() < 0.5) await pause(Math.random() * 3);
    return work();
  };
  return {
    entries,
    get: (key) => later(() => entries.get(key)),
    set: (key, bytes) => later(() => entries.set(key, bytes)),
    delete: (key) => later(() => entries.delete(key)),
    keys: () => later(() => [...entries.keys()]),
  };
}

const expect = (actual) => ({ toEqual: (expected) => assert.deepEqual(actual, expected) });
storageContract("keys and values", async () => ({ driver: await keyValueStorage(slowStore()) }), { describe, it, expect });

describe("a log on it", () => {
  it("has every acknowledged record in the store, at whatever moment it is cut off", async () => {
    const store = slowStore();
    const log = await open({ storage: await keyValueStorage(store, { durability: "power" }) });
    await log.createTopic("notes", { segmentBytes: 20_000 });
    const producer = log.producer({ value: utf8 });
    const moments = [];
    const look = (acknowledged) => moments.push({ acknowledged, entries: new Map(store.entries) });
    for (let round = 0; round < 10; round += 1) {
      const sends = Array.from({ length: 50 }, (_, i) => producer.send({ topic: "notes", value: `note ${round * 50 + i}`.padEnd(100) }));
      await pause(Math.random() * 3);
      look(round * 50);
      assert.equal((await Promise.all(sends)).at(-1).durability, "power");
      look(round * 50 + 50);
    }
    await log.close();
    look(500);

    for (const { acknowledged, entries } of moments) {
      const log = await open({ storage: await keyValueStorage(slowStore(entries)) });
      const consumer = log.consumer({ value: utf8 });
      await consumer.assign([{ topic: "notes", partition: 0 }]);
      let next = 0;
      for await (const { value } of consumer.records({ until: "end" })) assert.equal(value, `note ${next++}`.padEnd(100));
      assert.ok(next >= acknowledged, `${acknowledged} were acknowledged, ${next} are there`);
      await log.close();
    }
  });
});
