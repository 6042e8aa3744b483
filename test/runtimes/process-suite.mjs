/** What must hold where there are files, processes and modules: other ways in than one log in one process. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import * as zlib from "node:zlib";

const CHILD_MS_MAX = 30_000;
const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];

/** `command`: this runtime and its flags; null where none may be started. */
export function processSuite(odradek, directory, { describe, it, expect }, command) {
  describe("the process", () => {
    it("writes and reads every codec, zstd where node:zlib has it, and says so where it has not", async () => {
      const log = await odradek.open(directory());
      for (const compressionType of CODECS) {
        await log.createTopic(compressionType);
        const values = Array.from({ length: 100 }, (_, i) => `one line after another ${i}`);
        let problem = null;
        try {
          const producer = log.producer({ value: odradek.utf8, compressionType });
          await producer.sendBatch(values.map((value) => ({ topic: compressionType, value })));
        } catch (error) {
          problem = error;
        }
        if (compressionType === "zstd" && zlib.zstdCompressSync === undefined) {
          expect([problem?.name, /zstd is read in this runtime and cannot be written/.test(problem?.message)]).toEqual([
            "UsageError",
            true,
          ]);
          continue;
        }
        expect(problem === null ? null : problem.message).toEqual(null);
        const consumer = log.consumer({ value: odradek.utf8 });
        await consumer.assign([{ topic: compressionType, partition: 0 }]);
        const read = [];
        for await (const { value } of consumer.records({ until: "end" })) read.push(value);
        expect(read).toEqual(values);
      }
      await log.close();
    });

    it("is there for require() as well, the same module", async () => {
      const required = createRequire(import.meta.url)("odradek");
      expect(required.open === odradek.open).toEqual(true);
      expect(Object.keys(createRequire(import.meta.url)("odradek/testing")).includes("storageContract")).toEqual(true);
    });

    it("works through a message port", async () => {
      const log = await odradek.open(directory());
      await log.createTopic("t");
      const { port1, port2 } = new MessageChannel();
      const stop = odradek.servePort(log, port1);
      const other = await odradek.attachPort(port2);
      const { offset, durability } = await other.producer({ value: odradek.utf8 }).send({ topic: "t", value: "through the port" });
      expect([offset, durability]).toEqual([0, "power"]);
      expect((await other.read({ topic: "t", partition: 0, offset: 0 }, { value: odradek.utf8 })).value).toEqual("through the port");
      await other.close();
      await stop();
      await log.close();
    });

    if (command === null) return;
    it("lets another process attach, and shows what that one sent", async () => {
      const path = directory();
      const log = await odradek.open(path);
      await log.createTopic("t");
      const child = new URL("./attach-child.mjs", import.meta.url).pathname;
      const [program, ...flags] = command;
      const said = await new Promise((resolve, reject) => {
        let output = "";
        const other = spawn(program, [...flags, child, path], {
          stdio: ["ignore", "pipe", "pipe"],
          timeout: CHILD_MS_MAX,
          killSignal: "SIGKILL",
        });
        for (const stream of [other.stdout, other.stderr]) {
          stream.on("data", (piece) => {
            output += piece;
          });
        }
        other.on("error", reject);
        other.on("close", () => resolve(output));
      });
      expect(/offset 0/.test(said) ? "offset 0" : said).toEqual("offset 0");
      const read = await log.read({ topic: "t", partition: 0, offset: 0 }, { value: odradek.utf8 });
      expect(read.value).toEqual("from the other process");
      await log.close();
    });
  });
}
