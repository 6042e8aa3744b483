/** What a bundled program does with the log: it writes by every road, closes, opens again and reads all of it. Answers plain data. */

/** `odradek`: what the program imported. `openLog()` opens the same log each time; the first finds it empty. */
export async function story({ bytes, msgpack, utf8 }, openLog) {
  let log = await openLog();
  await log.createTopic("plain", { partitions: 2 });
  await log.createTopic("compressed");
  await log.createTopic("keyed", { cleanupPolicy: "compact" });
  const producer = log.producer({ key: utf8, value: msgpack() });
  for (let i = 0; i < 20; i += 1) await producer.send({ topic: "plain", key: `k${i}`, value: { i } });
  for (const compressionType of ["gzip", "snappy", "lz4"]) {
    const lines = Array.from({ length: 50 }, (_, i) => ({ topic: "compressed", value: `${compressionType} and the same again ${i}` }));
    await log.producer({ value: utf8, compressionType }).sendBatch(lines);
  }
  const transactional = log.producer({ value: utf8, transactionalId: "mover" });
  await transactional.transaction((tx) => tx.send({ topic: "keyed", key: "a", value: "first" }));
  await transactional.transaction((tx) => tx.send({ topic: "keyed", key: "a", value: "second" }));
  const first = await take(log, { groupId: "readers", key: utf8, value: msgpack() }, 7);
  await log.close();

  log = await openLog();
  const rest = await take(log, { groupId: "readers", key: utf8, value: msgpack() }, Number.POSITIVE_INFINITY);
  const compressed = log.consumer({ value: utf8 });
  await compressed.assign([{ topic: "compressed", partition: 0 }]);
  const lines = [];
  for await (const { value } of compressed.records({ until: "end" })) lines.push(value);
  const table = await log.table("keyed", { value: utf8 });
  const newest = await table.get("a");
  await log.maintain();
  const read = await log.read({ topic: "plain", partition: 0, offset: 0 }, { key: utf8, value: bytes });
  await log.close();
  return {
    plain: [...first, ...rest].sort((left, right) => left - right).join(),
    lines: `${lines.length} ${lines[0]} ${lines.at(-1)}`,
    newest,
    read: `${read.key.slice(0, 1)} ${read.value.length > 0}`,
  };
}

/** What every bundle must answer. */
export const expected = {
  plain: Array.from({ length: 20 }, (_, i) => i).join(),
  lines: "150 gzip and the same again 0 lz4 and the same again 49",
  newest: "second",
  read: "k true",
};

async function take(log, options, countMax) {
  const consumer = log.consumer({ ...options, enableAutoCommit: false });
  await consumer.subscribe(["plain"]);
  const seen = [];
  for await (const record of consumer.records({ until: "end" })) {
    seen.push(record.value.i);
    await consumer.commit(record);
    if (seen.length === countMax) break;
  }
  await consumer.close();
  return seen;
}
