/** The loading half: flights into the topic, each exactly once, however often the program is killed and run again. */

const FLIGHTS_PER_SEND = 500;

/** Which partition a key belongs to. The loader must know it before it sends: FNV-1a, enough for a few hundred airports. */
export function partitionOf(key, partitionCount) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % partitionCount;
}

/**
 * Sends what the topic does not hold yet. A partition holds a prefix of its flights (what was not acknowledged vanishes
 * only from its end), so its length says how many of its flights to pass over.
 */
export async function loadFlights(log, source, { recordsPerSecond, onLoaded }) {
  const { partitions } = await log.describeTopic("flights");
  const held = partitions.map((partition) => partition.logEndOffset);
  const producer = log.producer();
  let batch = [];
  let passed = 0;
  const started = performance.now();
  let sent = 0;
  const send = async () => {
    await producer.sendBatch(batch);
    sent += batch.length;
    passed += batch.length;
    batch = [];
    onLoaded(passed);
    const aheadMs = (sent / recordsPerSecond) * 1000 - (performance.now() - started);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  };
  for (const flight of source.flights) {
    const key = source.key(flight);
    const partition = partitionOf(key, partitions.length);
    if (held[partition] > 0) {
      held[partition] -= 1;
      passed += 1;
      continue;
    }
    batch.push({ topic: "flights", partition, key, value: flight });
    if (batch.length === FLIGHTS_PER_SEND) await send();
  }
  if (batch.length > 0) await send();
  onLoaded(passed);
  await producer.close();
}
