/** The page: a log in memory here, and its worker's log through a message port. `globalThis.answer` is a promise of both. */
import * as odradek from "odradek";
import { story } from "./story.mjs";

const storage = odradek.memory();

globalThis.answer = (async () => ({
  memory: await story(odradek, () => odradek.open({ storage })),
  worker: globalThis.Worker === undefined ? null : await throughWorker(),
}))();

async function throughWorker() {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
  const { port1, port2 } = new MessageChannel();
  const refused = new Promise((_, reject) => {
    worker.onerror = (event) => reject(new Error(`the worker: ${event.message}`));
    worker.onmessage = ({ data }) => reject(new Error(`the worker: ${data}`));
  });
  worker.postMessage(null, [port2]);
  const log = await Promise.race([odradek.attachPort(port1), refused]);
  await log.createTopic("visits", { ifNotExists: true });
  await log.producer({ value: odradek.msgpack() }).send({ topic: "visits", value: { page: "first" } });
  const record = await log.read({ topic: "visits", partition: 0, offset: 0 });
  await log.close();
  worker.terminate();
  return record.value.page;
}
