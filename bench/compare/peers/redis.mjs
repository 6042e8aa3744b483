/** Redis Streams by ioredis, on a server of its own: XADD in pipelines, appendfsync always where it is durable, else each second. */
import { spawnSync } from "node:child_process";
import Redis from "ioredis";
import { freePort, programOnPath, startServer } from "../server.mjs";

export const name = "redis streams";
export const program = programOnPath("redis-server");
export const version =
  program === null ? null : (/v=([\d.]+)/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "");
export const isDurable = true;
export const recordsMax = 50_000;
const STREAM = "t";
const PAGE = 1000;

export async function store(directory, { durable }) {
  const port = await freePort();
  const server = await startServer(
    program,
    [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", "--appendonly", "yes"],
      ...["--appendfsync", durable ? "always" : "everysec"],
    ],
    port,
  );
  const client = new Redis({ port, host: "127.0.0.1", enableAutoPipelining: true });
  await ready(client);
  let end = await client.xlen(STREAM);
  const add = (on, { key, value }) => on.xadd(STREAM, `${++end}-0`, "k", key, "v", value);
  return {
    server,
    async appendBatch(records) {
      const pipeline = client.pipeline();
      for (const record of records) add(pipeline, record);
      for (const [error] of await pipeline.exec()) if (error) throw error;
    },
    append: (record) => add(client, record),
    async scan(see) {
      for (let from = "-"; ; ) {
        const page = await client.xrangeBuffer(STREAM, from, "+", "COUNT", PAGE);
        for (const [, [, key, , value]] of page) see(key, value);
        if (page.length < PAGE) return;
        from = `(${page.at(-1)[0]}`;
      }
    },
    async read(offset) {
      const [[, [, key, , value]]] = await client.xrangeBuffer(STREAM, `${offset + 1}-0`, `${offset + 1}-0`);
      return { key, value };
    },
    async subscribe(see) {
      const reader = new Redis({ port, host: "127.0.0.1" });
      await ready(reader);
      let last = `${end}-0`;
      let isOver = false;
      const running = (async () => {
        while (!isOver) {
          const found = await reader.xreadBuffer("BLOCK", 200, "STREAMS", STREAM, last);
          for (const [id, [, key]] of found?.[0]?.[1] ?? []) {
            last = id;
            see(key);
          }
        }
      })();
      return async () => {
        isOver = true;
        await running;
        reader.disconnect();
      };
    },
    async close() {
      client.disconnect();
      await server.stop();
    },
  };
}

async function ready(client) {
  if (client.status !== "ready") await new Promise((resolve) => client.once("ready", resolve));
}
