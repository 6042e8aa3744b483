/** A broker and consumers on it, closed when the test is over. */
import type { Options, TopicPartition } from "../../src/api/bytes.ts";
import type { Consumer, ConsumerOptions } from "../../src/api/consumer.ts";
import { type Clock, systemClock, systemRandom } from "../../src/base/clock.ts";
import { utf8 } from "../../src/base/serdes/utf8.ts";
import { createConsumer } from "../../src/consumer/consumer.ts";
import { afterEveryTest } from "../cleanups.ts";
import { FakeBroker } from "./fake-broker.ts";

export interface Bed {
  readonly broker: FakeBroker;
  readonly events: { readonly type: string; readonly [field: string]: unknown }[];
  readonly closed: Consumer<unknown, unknown>[];
  consumer<K = string, V = string>(options?: Options<ConsumerOptions<K, V>>): Consumer<K, V>;
}

const OPEN: Set<{ close(): Promise<void> }> = new Set();

afterEveryTest(async () => {
  const consumers = [...OPEN];
  OPEN.clear();
  await Promise.all(consumers.map((consumer) => consumer.close().catch(() => {})));
});

export const orders: TopicPartition = { topic: "orders", partition: 0 };

/** With a topic "orders" of so many partitions. */
export async function bed(partitions = 1, clock: Clock = systemClock): Promise<Bed> {
  const broker = await FakeBroker.create(clock);
  broker.addTopic("orders", partitions);
  const events: Bed["events"] = [];
  const closed: Consumer<unknown, unknown>[] = [];
  return {
    broker,
    events,
    closed,
    consumer<K, V>(options?: Options<ConsumerOptions<K, V>>): Consumer<K, V> {
      const consumer = createConsumer<K, V>(
        {
          broker,
          compression: broker.compression,
          clock,
          random: systemRandom,
          emit: (type, fields) => void events.push({ ...fields, type }),
          defaultKey: utf8,
          defaultValue: utf8,
          onClose: (each) => void closed.push(each),
        },
        options,
      );
      OPEN.add(consumer);
      return consumer;
    },
  };
}

/** Every value until the end. */
export async function valuesToEnd<V>(consumer: Consumer<unknown, V>): Promise<(V | null)[]> {
  const values: (V | null)[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value);
  return values;
}

export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}
