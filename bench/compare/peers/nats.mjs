/**
 * NATS JetStream by its client, on a server of its own: publishes awaited by the batch. Servers from 2.10 on can flush before they
 * acknowledge (sync_interval: always); older ones flush every two minutes, and are not durable.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, DeliverPolicy } from "nats";
import { joined, parted } from "../sample.mjs";
import { freePort, programOnPath, startServer } from "../server.mjs";

export const name = "nats jetstream";
export const program = programOnPath("nats-server");
export const version =
  program === null ? null : (/v([\d.]+)/.exec(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout)?.[1] ?? "");
const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
export const isDurable = major > 2 || (major === 2 && minor >= 10);
export const recordsMax = 20_000;
const STREAM = "t";

export async function store(directory, { durable }) {
  const port = await freePort();
  const settings = join(directory, "nats.conf");
  const flushed = durable && isDurable ? ", sync_interval: always" : "";
  writeFileSync(settings, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(join(directory, "js"))}${flushed} }\n`);
  const server = await startServer(program, ["-c", settings], port);
  const connection = await connect({ port });
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: STREAM, subjects: [STREAM], storage: "file", max_msg_size: -1 }).catch(() => {});
  const stream = connection.jetstream();
  const consumerFrom = async (policy) => {
    const { name: durableName } = await manager.consumers.add(STREAM, {
      deliver_policy: policy,
      ack_policy: "none",
      inactive_threshold: 60e9,
    });
    return await stream.consumers.get(STREAM, durableName);
  };
  return {
    server,
    appendBatch: (records) => Promise.all(records.map((record) => stream.publish(STREAM, joined(record)))),
    append: (record) => stream.publish(STREAM, joined(record)),
    async scan(see) {
      const { state } = await manager.streams.info(STREAM);
      if (state.messages === 0) return;
      const consumer = await consumerFrom(DeliverPolicy.All);
      let left = state.messages;
      const messages = await consumer.consume({ max_messages: 1000 });
      for await (const message of messages) {
        const { key, value } = parted(message.data);
        see(key, value);
        left -= 1;
        if (left === 0) break;
      }
      messages.stop();
    },
    read: async (offset) => parted((await manager.streams.getMessage(STREAM, { seq: offset + 1 })).data),
    async subscribe(see) {
      const consumer = await consumerFrom(DeliverPolicy.New);
      const messages = await consumer.consume({ callback: (message) => see(parted(message.data).key) });
      return () => messages.stop();
    },
    async close() {
      await connection.close();
      await server.stop();
    },
  };
}
