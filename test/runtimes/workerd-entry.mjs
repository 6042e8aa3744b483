/** In workerd: a module worker for the suite in memory, and a Durable Object for each test on SQLite. */

import { DurableObject } from "cloudflare:workers";
import * as odradek from "odradek";
import { durableObject } from "odradek/durable-object";
import { storageContract } from "odradek/testing";
import { faceSuite } from "./face-suite.mjs";
import { figures } from "./figures.mjs";
import { runSuite } from "./isolate.mjs";
import { Kit } from "./kit.mjs";

/** Tests that run inside an object, by number: an object's storage is its own, and each test has an object of its own. */
function durableKit(ctx) {
  const kit = new Kit();
  const place = async () => ({ open: (options) => odradek.open({ ...options, storage: durableObject(ctx) }) });
  kit.describe("Durable Object", () => faceSuite(odradek, place, kit));
  storageContract("Durable Object", async () => ({ driver: durableObject(ctx) }), kit);
  return kit;
}

export class Log extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/suite") return Response.json(await durableKit(this.ctx).runOne(Number(searchParams.get("test"))));
    if (pathname === "/figures") return Response.json(await this.figures());
    if (pathname === "/keep") return Response.json(await this.keep());
    if (pathname === "/refused") return Response.json(await refused());
    return Response.json(await this.kept());
  }

  figures() {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE raw (position INTEGER PRIMARY KEY, bytes BLOB)");
    const raw = {
      write: (bytes, position) => sql.exec("INSERT INTO raw VALUES (?, ?)", position, bytes),
      read: (_, position) => sql.exec("SELECT bytes FROM raw WHERE position = ?", position).one(),
    };
    return figures(odradek, () => odradek.open({ storage: durableObject(this.ctx) }), raw);
  }

  /** Sends until the process is killed under it: what was answered must be there afterwards. */
  async keep() {
    this.log ??= await odradek.open({ storage: durableObject(this.ctx) });
    await this.log.createTopic("kept", { ifNotExists: true });
    this.producer ??= this.log.producer({ value: odradek.utf8 });
    const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => this.producer.send({ topic: "kept", value: `v${i}` })));
    return { nextOffset: sent.at(-1).offset + 1, durability: sent[0].durability };
  }

  async kept() {
    const log = await odradek.open({ storage: durableObject(this.ctx) });
    const { logEndOffset } = (await log.describeTopic("kept")).partitions[0];
    const values = [];
    const consumer = log.consumer({ value: odradek.utf8 });
    await consumer.assign([{ topic: "kept", partition: 0 }]);
    for await (const { value } of consumer.records({ until: "end" })) values.push(value);
    await log.close();
    return { logEndOffset, values };
  }
}

/** What is told to an object whose class is not SQLite-backed, and to who brings the core as bytes, which this platform does not compile. */
async function refused() {
  const told = async (call) => {
    try {
      await call();
      return "it was not refused";
    } catch (error) {
      return `${error.code} ${error.message}`;
    }
  };
  return [
    await told(() => durableObject({ storage: {} })),
    await told(() => odradek.open({ storage: odradek.memory(), wasm: new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]) })),
  ];
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/") return Response.json(await runSuite());
    if (pathname === "/count") return Response.json(durableKit({ storage: null }).count);
    const name = searchParams.get("test") ?? "kept";
    const kind = pathname === "/suite" ? "test" : pathname === "/figures" ? "figures" : "kept";
    return env.LOG.get(env.LOG.idFromName(`${kind} ${name}`)).fetch(request.url);
  },
};
