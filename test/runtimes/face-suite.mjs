/** What must hold in every runtime, through the face alone. */

/**
 * `odradek`: the package as this runtime imports it. `place()`: where one test's log lies: `{ open, dispose }`, of which `open(options)`
 * may be called again after the log was closed and finds what was kept.
 */
export function faceSuite(odradek, place, { describe, it, expect }) {
  const { bytes, json, msgpack, utf8 } = odradek;

  const test = (sentence, body) =>
    it(sentence, async () => {
      const { open, dispose } = await place();
      try {
        await body(open);
      } finally {
        await dispose?.();
      }
    });

  const read = async (log, options, topic = "t") => {
    const consumer = log.consumer(options);
    const { partitions } = await log.describeTopic(topic);
    await consumer.assign(partitions.map(({ partition }) => ({ topic, partition })));
    const records = [];
    for await (const record of consumer.records({ until: "end" })) records.push(record);
    await consumer.close();
    return records;
  };

  describe("the face", () => {
    test("keeps what was sent, in order, with keys, headers and times", async (open) => {
      const log = await open();
      await log.createTopic("t", { partitions: 1 });
      const producer = log.producer({ key: utf8, value: json() });
      const sent = [];
      for (let i = 0; i < 50; i += 1) {
        sent.push(producer.send({ topic: "t", key: `k${i}`, value: { i }, headers: [["h", "v"]], timestamp: 1000 + i }));
      }
      const acknowledged = await Promise.all(sent);
      expect(acknowledged.map(({ offset }) => offset)).toEqual(sent.map((_, i) => i));
      const records = await read(log, { key: utf8, value: json() });
      expect(records.map(({ key, value, offset, timestamp }) => ({ key, value, offset, timestamp }))).toEqual(
        sent.map((_, i) => ({ key: `k${i}`, value: { i }, offset: i, timestamp: 1000 + i })),
      );
      expect(records[7].headers).toEqual([["h", new TextEncoder().encode("v")]]);
      await log.close();
    });

    test("finds it again after it was closed", async (open) => {
      let log = await open();
      await log.createTopic("t");
      await log.producer({ value: msgpack() }).send({ topic: "t", key: "a", value: { deep: [1, null, "x"] } });
      await log.close();
      log = await open();
      const [record] = await read(log, { value: msgpack() });
      expect(record.value).toEqual({ deep: [1, null, "x"] });
      expect((await log.read({ topic: "t", partition: 0, offset: 0 }, { value: msgpack() })).key).toEqual("a");
      await log.close();
    });

    test("hands a group's partitions round, and lets it go on where it committed", async (open) => {
      let log = await open();
      await log.createTopic("t", { partitions: 3 });
      const records = Array.from({ length: 90 }, (_, i) => ({ topic: "t", key: `k${i}`, value: `v${i}` }));
      await log.producer({ value: utf8 }).sendBatch(records);
      const seen = [];
      const take = async (countMax) => {
        const consumer = log.consumer({ groupId: "g", value: utf8, enableAutoCommit: false });
        await consumer.subscribe(["t"]);
        for await (const record of consumer.records({ until: "end" })) {
          seen.push(record.value);
          await consumer.commit(record);
          if (seen.length === countMax) break;
        }
        await consumer.close();
      };
      await take(40);
      await log.close();
      log = await open();
      await take(Number.POSITIVE_INFINITY);
      expect(seen.toSorted?.() ?? [...seen].sort()).toEqual(records.map(({ value }) => value).sort());
      await log.close();
    });

    test("gives bytes in batches, lazily", async (open) => {
      const log = await open();
      await log.createTopic("t");
      const values = Array.from({ length: 1000 }, (_, i) => new Uint8Array([i & 255, i >> 8]));
      await log.producer({ value: bytes }).sendBatch(values.map((value) => ({ topic: "t", value })));
      const consumer = log.consumer({ value: bytes });
      await consumer.assign([{ topic: "t", partition: 0 }]);
      let sum = 0;
      for await (const batch of consumer.batches({ until: "end" })) for (const { value } of batch) sum += value[0] + value[1];
      expect(sum).toEqual(values.reduce((total, value) => total + value[0] + value[1], 0));
      await log.close();
    });

    test("refuses what is not legal with a typed error", async (open) => {
      const log = await open();
      const codeOf = async (call) => {
        try {
          await call();
          return null;
        } catch (error) {
          return [error.name, error.code, error instanceof odradek.OdradekError];
        }
      };
      expect(await codeOf(() => log.createTopic("../x"))).toEqual(["UsageError", "INVALID_TOPIC_EXCEPTION", true]);
      expect(await codeOf(() => log.describeTopic("nobody"))).toEqual(["UsageError", "UNKNOWN_TOPIC_OR_PARTITION", true]);
      await log.createTopic("t");
      expect(await codeOf(() => log.producer().send({ topic: "t", value: undefined }))).toEqual(["UsageError", "INVALID_ARGUMENT", true]);
      await log.close();
      expect(await codeOf(() => log.listTopics())).toEqual(["UsageError", "LOG_CLOSED", true]);
    });

    test("lets a timer fire while records wait", async (open) => {
      const log = await open();
      await log.createTopic("t", { durability: "os" });
      const producer = log.producer({ value: bytes });
      const records = Array.from({ length: 10_000 }, () => ({ topic: "t", value: new Uint8Array(4) }));
      for (let i = 0; i < 10; i += 1) await producer.sendBatch(records);
      const stop = new AbortController();
      const consumer = log.consumer({ value: bytes, signal: stop.signal });
      await consumer.assign([{ topic: "t", partition: 0 }]);
      let count = 0;
      for (;;) {
        for await (const _ of consumer.records({ until: "end" })) {
          // Begun with the first record: where the disk is slow, a timer set before would fire while none had come.
          if (count === 0) setTimeout(() => stop.abort(), 1);
          count += 1;
        }
        if (stop.signal.aborted) break;
        consumer.seek({ topic: "t", partition: 0 }, "earliest");
      }
      expect(count > 0).toEqual(true);
      await log.close();
    });
  });
}
