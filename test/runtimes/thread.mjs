/** A worker thread that opens a directory as it is told, sends a record when asked, and says how it went. */
import { parentPort, workerData } from "node:worker_threads";
import { open, utf8 } from "odradek";

const { directory, options } = workerData;
let log = null;
const told = ({ code, message, holder }) => ({ refused: { code, message, holder } });
const steps = {
  open: async () => {
    log = await open(directory, {
      ...options,
      onEvent: ({ type }) => type.startsWith("owner.") && parentPort.postMessage({ event: type }),
    });
    return { opened: true };
  },
  send: async () => ({ offset: (await log.producer({ value: utf8 }).send({ topic: "t", value: "from the thread" })).offset }),
  close: async () => {
    await log.close();
    return { closed: true };
  },
};
parentPort.on("message", (step) => {
  steps[step]().then(
    (answer) => parentPort.postMessage(answer),
    (error) => parentPort.postMessage(told(error)),
  );
});
