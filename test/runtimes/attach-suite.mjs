/** What must hold where threads of one process, and processes of one runtime, share a directory. */
import { Worker } from "node:worker_threads";
import { checkAll, killOwner, Sharer } from "./sharing.mjs";

const THREAD = new URL("./thread.mjs", import.meta.url);

/** `command`: this runtime and its flags; null where none may be started. Answers what it measured, once the kit has run. */
export function attachSuite(odradek, directory, { describe, it, expect }, command) {
  const figures = {};
  const { open, utf8 } = odradek;

  class Thread {
    events = [];
    #answers = [];

    constructor(path, options) {
      this.worker = new Worker(THREAD, { workerData: { directory: path, options } });
      this.worker.on("message", (message) => {
        if (message.event !== undefined) this.events.push(message.event);
        else this.#answers.shift()(message);
      });
      this.worker.on("error", (error) => this.#answers.shift()?.({ refused: { code: "THREAD", message: String(error) } }));
    }

    ask(step) {
      this.worker.postMessage(step);
      return new Promise((resolve) => this.#answers.push(resolve));
    }
  }

  const values = async (log) => {
    const consumer = log.consumer({ value: utf8 });
    await consumer.assign([{ topic: "t", partition: 0 }]);
    const found = [];
    for await (const { value } of consumer.records({ until: "end" })) found.push(value);
    await consumer.close();
    return found;
  };

  describe("threads that share a directory", () => {
    it("are told who has it; attached they work through that one, and take over when it closes", async () => {
      const path = directory();
      const log = await open(path);
      await log.createTopic("t");
      const alone = new Thread(path, {});
      const { refused } = await alone.ask("open");
      expect([refused?.code, refused?.holder?.pid]).toEqual(["DIRECTORY_IN_USE", process.pid]);
      await alone.worker.terminate();
      const thread = new Thread(path, { attach: true });
      expect(await thread.ask("open")).toEqual({ opened: true });
      expect(await thread.ask("send")).toEqual({ offset: 0 });
      await log.close();
      expect(await thread.ask("send")).toEqual({ offset: 1 });
      expect(thread.events.includes("owner.became")).toEqual(true);
      const attached = await open(path, { attach: true });
      expect(await values(attached)).toEqual(["from the thread", "from the thread"]);
      expect(await thread.ask("close")).toEqual({ closed: true });
      expect((await values(attached)).length).toEqual(2);
      await attached.close();
      await thread.worker.terminate();
    });

    it("go on when the thread that has it is ended, where the runtime lets go of what a thread has open", async () => {
      const path = directory();
      const thread = new Thread(path, { attach: true });
      expect(await thread.ask("open")).toEqual({ opened: true });
      const events = [];
      const log = await open(path, { attach: true, onEvent: ({ type }) => events.push(type) });
      await log.createTopic("t");
      expect(await thread.ask("send")).toEqual({ offset: 0 });
      await thread.worker.terminate();
      const next = log.producer({ value: utf8 }).send({ topic: "t", value: "after its end" });
      const outcome = await next.then(
        ({ offset }) => offset,
        ({ code, message }) => [code, /attach/.test(message)],
      );
      // Bun leaves a thread's files open until the process ends, and so the lock where it was.
      expect(outcome).toEqual(globalThis.Bun === undefined ? 1 : ["DIRECTORY_IN_USE", true]);
      await log.close();
    });
  });

  if (command === null) return figures;
  describe("processes that share a directory", () => {
    it("lose nothing when the owner is killed, and one of them is the next", async () => {
      const path = directory();
      const log = await open(path);
      await log.createTopic("t");
      await log.close();
      const owner = new Sharer(command, path, "owner");
      await owner.hears("to open", (line) => line.open !== undefined);
      const others = ["a", "b"].map((name) => new Sharer(command, path, name));
      const all = [owner, ...others];
      try {
        await Promise.all(all.map((each) => each.goesOn()));
        const { next, tookMs } = await killOwner(owner, all);
        figures["takeover after"] = `${tookMs} ms`;
        await next.ends();
        await Promise.all(others.filter((each) => each !== next).map((each) => each.goesOn()));
      } finally {
        await Promise.all(all.map((each) => each.kill()));
      }
      await checkAll(odradek, path, all);
    });
  });
  return figures;
}
