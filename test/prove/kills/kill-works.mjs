/** What a process does until it is killed: each work a loop that says what it is about to do and what was acknowledged. */

const sleep = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));

/** @param {{ log: any, utf8: any, plan: any, say: (line: string) => void, bears: (error: unknown) => Promise<void> }} life */
export function worksOf(life) {
  const { log, utf8, plan, say, bears } = life;
  const texts = { key: utf8, value: utf8 };
  let count = 0;
  /** No two records of a directory have the same one. */
  const nextValue = (spread) => `${plan.life}:${count++}:`.padEnd(20 + (count % spread), "x");

  /** Again and again, whatever is refused where refusals are to be borne. */
  const forever = async (body) => {
    for (;;) await body().catch(bears);
  };

  const sends = (topic, partition, acks) => {
    const producer = log.producer({ ...texts, acks, compressionType: plan.compression });
    return forever(async () => {
      const values = Array.from({ length: 1 + (count % 7) }, () => nextValue(plan.spread));
      const sent = await Promise.allSettled(values.map((value) => producer.send({ topic, partition, key: null, value })));
      const lines = sent.flatMap(({ value }, index) =>
        value === undefined ? [] : [`ack ${topic} ${partition} ${value.offset} ${values[index]}`],
      );
      if (lines.length > 0) say(lines.join("\n"));
      const refused = sent.find(({ status }) => status === "rejected");
      if (refused !== undefined) throw refused.reason;
    });
  };

  const commits = () => {
    const consumer = log.consumer({ groupId: "killed", ...texts, enableAutoCommit: false });
    let step = 0;
    return forever(async () => {
      const at = Math.min(++step * 3, (await log.describeTopic("sync")).partitions[0].logEndOffset);
      say(`trying ${at}`);
      await consumer.commit([{ topic: "sync", partition: 0, nextOffset: at }], { durable: step % 2 === 0 });
      say(`commit ${at}`);
    });
  };

  /** Every transaction writes to both sides, to a key of its own kind, and moves its group on: all of that, or none. */
  const transactions = (name) => {
    const input = { topic: "input", partition: 0 };
    let producer = null;
    let feed = null;
    let consumer = null;
    const body = async () => {
      if (producer === null) {
        producer = log.producer({ ...texts, transactionalId: name, compressionType: name === "t0" ? plan.compression : "none" });
        feed = log.producer(texts);
        consumer = log.consumer({ groupId: name, ...texts, enableAutoCommit: false });
        await consumer.assign([input]);
        const at = await consumer.committed(input);
        if (at !== null) consumer.seek(input, at);
      }
      await feed.send({ topic: "input", key: null, value: nextValue(plan.spread) });
      const [record] = await consumer.poll({ maxRecords: 1, timeoutMs: 1000 });
      if (record === undefined) return;
      const id = `${name}:${record.offset}`;
      const aborts = count % 5 === 0;
      say(`begin ${name} ${record.offset} ${aborts ? "abort" : "commit"}`);
      const takenBack = new Error("taken back");
      try {
        await producer.transaction(async (tx) => {
          const value = id.padEnd(20 + (count % 300), "x");
          await Promise.all([
            tx.send({ topic: "left", key: id, value }),
            tx.send({ topic: "right", key: id, value }),
            tx.send({ topic: "right", key: id, value }),
            tx.send({ topic: "keyed", key: name, value: id }),
          ]);
          tx.commitOffsets(consumer);
          if (aborts) throw takenBack;
        });
        say(`committed ${name} ${record.offset}`);
      } catch (error) {
        if (error !== takenBack) throw error;
      }
    };
    return forever(() =>
      body().catch((error) => {
        producer = null;
        throw error;
      }),
    );
  };

  const puts = () => {
    const producer = log.producer(texts);
    let put = 0;
    return forever(async () => {
      put += 1;
      const key = `k${put % 40}`;
      const value = put % 7 === 6 ? null : `${plan.life}:${put}:`.padEnd(20 + (put % plan.spread), "y");
      say(`putting ${key} ${value}`);
      const { offset } = await producer.send({ topic: "keyed", key, value });
      say(`put ${key} ${offset} ${value}`);
    });
  };

  const cleans = () =>
    forever(async () => {
      await log.maintain();
      await sleep(8);
    });

  const topics = () => {
    const producer = log.producer(texts);
    let made = 0;
    return forever(async () => {
      await sleep(made < 3 ? 3 : 10_000);
      const topic = `made-${plan.life}-${made++}`;
      say(`making ${topic}`);
      await log.createTopic(topic, { partitions: 1 + (made % 2) });
      say(`made ${topic}`);
      const value = nextValue(plan.spread);
      const { offset } = await producer.send({ topic, partition: 0, key: null, value });
      say(`ack ${topic} 0 ${offset} ${value}`);
      if (made % 2 === 0) return;
      say(`deleting ${topic}`);
      await log.deleteTopic(topic);
      say(`deleted ${topic}`);
    });
  };

  const trims = () =>
    forever(async () => {
      await sleep(5);
      const { logEndOffset } = (await log.describeTopic("trimmed")).partitions[0];
      const before = Math.max(0, logEndOffset - 20);
      say(`trimming ${before}`);
      await log.deleteRecords({ topic: "trimmed", partition: 0 }, before);
      say(`trimmed ${before}`);
    });

  return {
    sync0: () => sends("sync", 0, "all"),
    sync1: () => sends("sync", 1, 1),
    os: () => sends("os", 0, "all"),
    short: () => sends("short", 0, "all"),
    trimmed: () => Promise.all([sends("trimmed", 0, "all"), trims()]),
    commits,
    transactions0: () => transactions("t0"),
    transactions1: () => transactions("t1"),
    puts,
    cleans,
    topics,
  };
}
