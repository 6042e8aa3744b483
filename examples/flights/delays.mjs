/**
 * The transforming half: a consumer group counts flights and delays by key, and writes each new count into a compacted topic.
 * A count carries the offset of the last flight in it. What is redelivered after a crash lies at or below that offset and
 * is passed over: at-least-once delivery, counted exactly once.
 */

/** Runs `members` consumers until `flightCount` flights stand in the counts. */
export async function aggregateDelays(log, { members, flightCount, onCounted }) {
  const stop = new AbortController();
  const counts = await newestCounts(log);
  let counted = [...counts.values()].reduce((sum, count) => sum + count.flights, 0);
  const report = (more) => {
    counted += more;
    onCounted(counted);
    if (counted >= flightCount) stop.abort();
  };
  report(0);
  if (stop.signal.aborted) return;
  await Promise.all(Array.from({ length: members }, () => runMember(log, counts, report, stop.signal)));
}

async function runMember(log, counts, report, signal) {
  const consumer = log.consumer({ groupId: "delay-report", enableAutoCommit: false, signal });
  const producer = log.producer();
  try {
    await consumer.subscribe(["flights"]);
    for await (const batch of consumer.batches()) {
      const changed = new Map();
      let fresh = 0;
      for (const { key, value, offset } of batch) {
        const before = changed.get(key) ?? counts.get(key) ?? NOTHING;
        if (offset <= before.upToOffset) continue;
        changed.set(key, add(before, value, offset));
        fresh += 1;
      }
      // The counts are durable before the offsets they cover are committed: a crash between the two redelivers, and is passed over.
      await producer.sendBatch([...changed].map(([key, value]) => ({ topic: "delays", key, value })));
      for (const [key, value] of changed) counts.set(key, value);
      await consumer.commit(batch);
      report(fresh);
    }
  } finally {
    await consumer.close();
    await producer.close();
  }
}

const NOTHING = { flights: 0, delayMinutes: 0, delayMinutesMax: Number.MIN_SAFE_INTEGER, late: 0, miles: 0, upToOffset: -1 };

/** Late: by fifteen minutes or more, as the bureau counts. */
function add(count, flight, offset) {
  return {
    flights: count.flights + 1,
    delayMinutes: count.delayMinutes + flight.delay,
    delayMinutesMax: Math.max(count.delayMinutesMax, flight.delay),
    late: count.late + (flight.delay >= 15 ? 1 : 0),
    miles: count.miles + flight.distance,
    upToOffset: offset,
  };
}

/** The newest count of each key: what reading a compacted topic from its start gives. */
export async function newestCounts(log) {
  const counts = new Map();
  const consumer = log.consumer();
  const { partitions } = await log.describeTopic("delays");
  await consumer.assign(partitions.map(({ partition }) => ({ topic: "delays", partition })));
  for await (const { key, value } of consumer.records({ until: "end" })) counts.set(key, value);
  await consumer.close();
  return counts;
}
