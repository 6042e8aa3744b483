/** In a dedicated worker of a browser: the suite, and the single steps of which chromium.mjs makes its stories. */
import * as odradek from "odradek";
import { openTab, opfs } from "odradek/opfs";
import { storageContract } from "odradek/testing";
import { faceSuite } from "./face-suite.mjs";
import { figures } from "./figures.mjs";
import { runSuite } from "./isolate.mjs";
import { Kit } from "./kit.mjs";

let log;
let producer;
let placeCount = 0;

/** What a test left; some touch nothing. */
const removed = async (name) => {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(name, { recursive: true }).catch((error) => {
    if (error.name !== "NotFoundError") throw error;
  });
};

const steps = {
  memory: () => runSuite(),

  async opfs() {
    const kit = new Kit();
    const place = async () => {
      const name = `face-${placeCount++}`;
      const storage = opfs(name);
      return { open: (options) => odradek.open({ ...options, storage }), dispose: () => removed(name) };
    };
    kit.describe("OPFS", () => faceSuite(odradek, place, kit));
    const subject = async () => {
      const name = `contract-${placeCount++}`;
      const driver = opfs(name);
      return {
        driver,
        dispose: async () => {
          await driver.close();
          await removed(name);
        },
      };
    };
    storageContract("OPFS", subject, kit);
    return kit.run();
  },

  async figures() {
    const file = await (await navigator.storage.getDirectory()).getFileHandle("raw", { create: true });
    const handle = await file.createSyncAccessHandle();
    const raw = { write: (bytes, at) => handle.write(bytes, { at }), read: (into, at) => handle.read(into, { at }) };
    return figures(odradek, () => odradek.open({ storage: opfs("speed") }), raw);
  },

  /** As the private windows of other browsers answer. */
  refuseFileSystem() {
    navigator.storage.getDirectory = () => Promise.reject(new DOMException("The operation is insecure.", "SecurityError"));
  },

  globals: () => ({
    SharedArrayBuffer: typeof globalThis.SharedArrayBuffer,
    crossOriginIsolated: globalThis.crossOriginIsolated,
    WebAssembly: typeof WebAssembly,
  }),

  async open(name, options) {
    log = await odradek.open({ storage: opfs(name, options) });
    await log.createTopic("t", { ifNotExists: true, segmentBytes: 1 << 20 });
    producer = log.producer({ value: odradek.bytes });
    return log.describeTopic("t").then(({ partitions }) => partitions[0].logEndOffset);
  },

  /** The log that tabs share, wherever it is. */
  async join(name) {
    log = await openTab(name);
    await log.createTopic("t", { ifNotExists: true });
    producer = log.producer({ value: odradek.bytes });
  },

  /** One record after another until told to stop; answers how many were acknowledged, and the longest that one took. */
  async sendOn(forMs) {
    const endAt = performance.now() + forMs;
    const answer = { acknowledged: 0, longestMs: 0, refused: [] };
    while (performance.now() < endAt) {
      const began = performance.now();
      try {
        await producer.send({ topic: "t", value: new Uint8Array(100).fill(7) });
        answer.acknowledged += 1;
      } catch (error) {
        answer.refused.push(`${error.code} ${error.message}`);
      }
      answer.longestMs = Math.max(answer.longestMs, performance.now() - began);
    }
    return answer;
  },

  /** `count` records of `byteLength`; answers how many were acknowledged, and what became of the first that was not. */
  async send(count, byteLength) {
    const results = await Promise.allSettled(
      Array.from({ length: count }, () => producer.send({ topic: "t", value: new Uint8Array(byteLength).fill(7) })),
    );
    const refused = results.find(({ status }) => status === "rejected")?.reason;
    const kept = results.filter(({ status }) => status === "fulfilled");
    return {
      acknowledged: kept.length,
      nextOffset: kept.length === 0 ? null : kept.at(-1).value.offset + 1,
      durability: kept[0]?.value.durability,
      refused: refused === undefined ? null : { code: refused.code, retriable: refused.retriable, message: refused.message },
    };
  },

  async count() {
    const consumer = log.consumer({ value: odradek.bytes });
    await consumer.assign([{ topic: "t", partition: 0 }]);
    let count = 0;
    for await (const batch of consumer.batches({ until: "end" })) for (const { value } of batch) count += value[0] === 7 ? 1 : 0;
    await consumer.close();
    return count;
  },

  close: () => log.close(),
};

addEventListener("message", async ({ data, ports: [port] }) => {
  if (port !== undefined) return void odradek.servePort(log, port);
  const [id, name, ...args] = data;
  try {
    postMessage([id, { value: await steps[name](...args) }]);
  } catch (error) {
    postMessage([id, { refused: { name: error.name, code: error.code, message: error.message, holder: error.holder } }]);
  }
});
