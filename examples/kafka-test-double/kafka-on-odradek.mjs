/**
 * The part of kafkajs's face that programs live by, on a log in this process: no broker, no container, no port.
 * Buffers for keys and values, offsets as text, `eachMessage` called again for a message until it succeeds, as kafkajs does.
 */
import { bytes } from "odradek";

const RETRY_MS = 5;

export function kafkaOnOdradek(log) {
  return {
    admin: () => ({
      connect: async () => {},
      createTopics: async ({ topics }) => {
        for (const { topic, numPartitions = 1 } of topics) await log.createTopic(topic, { partitions: numPartitions, ifNotExists: true });
      },
      disconnect: async () => {},
    }),
    producer: () => producerOn(log),
    consumer: ({ groupId }) => consumerOn(log, groupId),
  };
}

const toBytes = (given) => (given === null || given === undefined ? null : Buffer.from(given));

function producerOn(log) {
  const producer = log.producer({ key: bytes, value: bytes });
  return {
    connect: async () => {},
    send: async ({ topic, messages }) => {
      const records = messages.map(({ key, value, headers = {}, partition }) => ({
        topic,
        partition,
        key: toBytes(key),
        value: toBytes(value),
        headers: Object.entries(headers).map(([name, text]) => [name, toBytes(text)]),
      }));
      const sent = await producer.sendBatch(records);
      return sent.map(({ topic, partition, offset }) => ({ topicName: topic, partition, baseOffset: String(offset), errorCode: 0 }));
    },
    disconnect: () => producer.close(),
  };
}

function consumerOn(log, groupId) {
  const stop = new AbortController();
  let running = Promise.resolve();
  let consumer;
  return {
    connect: async () => {},
    subscribe: async ({ topics, fromBeginning = false }) => {
      const autoOffsetReset = fromBeginning ? "earliest" : "latest";
      consumer = log.consumer({ groupId, key: bytes, value: bytes, autoOffsetReset, signal: stop.signal });
      await consumer.subscribe(topics);
    },
    run: async ({ eachMessage }) => {
      running = (async () => {
        for await (const record of consumer) await untilItSucceeds(() => eachMessage(message(record)), stop.signal);
      })();
      running.catch(() => {});
    },
    disconnect: async () => {
      stop.abort();
      await running;
    },
  };
}

function message({ topic, partition, offset, timestamp, key, value, headers }) {
  const named = Object.fromEntries(headers.map(([name, header]) => [name, header && Buffer.from(header)]));
  return {
    topic,
    partition,
    message: {
      offset: String(offset),
      timestamp: String(timestamp),
      key: key && Buffer.from(key),
      value: value && Buffer.from(value),
      headers: named,
    },
  };
}

/** A program that is stopped meanwhile leaves the message to the next one: it throws, so that the message does not count as done. */
async function untilItSucceeds(call, signal) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (signal.aborted) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
