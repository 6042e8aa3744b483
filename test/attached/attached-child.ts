/** A process that opens a log when told, writes and reads under load, and says what was acknowledged. One JSON line per order and answer. */
import { createInterface } from "node:readline";
import type { Consumer, Odradek, OdradekEvent, OpenOptions, Producer } from "../../src/index.ts";
import { open, utf8 } from "../../src/index.ts";

interface Order {
  readonly call: "open" | "produce" | "transact" | "consume" | "stop" | "close" | "count";
  readonly path?: string;
  readonly options?: OpenOptions;
  readonly name?: string;
  readonly topic?: string;
  readonly atOnce?: number;
  readonly groupId?: string;
}

let log: Odradek;
const events: { readonly type: string; readonly atMs: number }[] = [];
const acked: { readonly value: string; readonly partition: number; readonly offset: number; readonly atMs: number }[] = [];
const rejected: { readonly value: string; readonly code: string; readonly retriable: boolean }[] = [];
const seen: string[] = [];
const running: Promise<unknown>[] = [];
const closers: (() => Promise<unknown>)[] = [];
let isStopped = false;

async function produce(order: Order): Promise<void> {
  const producer: Producer<string, string> = log.producer({ key: utf8, value: utf8 });
  closers.push(() => producer.close());
  let next = 0;
  const one = async (): Promise<void> => {
    while (!isStopped) {
      const value = `${order.name}:${next++}`;
      try {
        const { partition, offset } = await producer.send({ topic: order.topic as string, key: value, value });
        acked.push({ value, partition, offset, atMs: Date.now() });
      } catch (error) {
        const { code, retriable } = error as { code: string; retriable: boolean };
        rejected.push({ value, code, retriable });
        await new Promise((wake) => setTimeout(wake, 5));
      }
    }
  };
  running.push(...Array.from({ length: order.atOnce ?? 16 }, one));
}

async function transact(order: Order): Promise<void> {
  const producer = log.producer<string, string>({ key: utf8, value: utf8, transactionalId: order.name as string });
  closers.push(() => producer.close());
  let next = 0;
  running.push(
    (async () => {
      while (!isStopped) {
        const value = `${order.name}:${next++}`;
        try {
          const sent = await producer.transaction(async (tx) => {
            const first = await tx.send({ topic: order.topic as string, key: `${value}a`, value: `${value}a` });
            await tx.send({ topic: order.topic as string, key: `${value}b`, value: `${value}b` });
            return first;
          });
          acked.push({ value, partition: sent.partition, offset: sent.offset, atMs: Date.now() });
        } catch (error) {
          const { code, retriable } = error as { code: string; retriable: boolean };
          rejected.push({ value, code, retriable });
          await new Promise((wake) => setTimeout(wake, 5));
        }
      }
    })(),
  );
}

async function consume(order: Order): Promise<void> {
  const consumer: Consumer<string, string> = log.consumer({
    groupId: order.groupId as string,
    key: utf8,
    value: utf8,
    autoCommitIntervalMs: 50,
  });
  closers.push(() => consumer.close());
  await consumer.subscribe([order.topic as string]);
  running.push(
    (async () => {
      while (!isStopped) for (const { value } of await consumer.poll({ timeoutMs: 100 })) seen.push(value as string);
    })(),
  );
}

async function obey(order: Order): Promise<unknown> {
  switch (order.call) {
    case "open": {
      const onEvent = ({ type }: OdradekEvent): void => {
        if (type.startsWith("owner.") || type.startsWith("attach.")) events.push({ type, atMs: Date.now() });
      };
      log = await open(order.path as string, { ...order.options, onEvent });
      return { opened: true };
    }
    case "produce":
      return await produce(order);
    case "transact":
      return await transact(order);
    case "consume":
      return await consume(order);
    case "count":
      return { acked: acked.length, seen: seen.length };
    case "stop":
      isStopped = true;
      await Promise.all(running);
      return { events, acked, rejected, seen };
    case "close":
      await Promise.all(closers.map((close) => close()));
      await log.close();
      return { closed: true };
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  obey(JSON.parse(line) as Order).then(
    (answer) => process.stdout.write(`${JSON.stringify(answer ?? {})}\n`),
    (error: Error & { code?: string; holder?: unknown }) =>
      process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message, holder: error.holder } })}\n`),
  );
});
process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
