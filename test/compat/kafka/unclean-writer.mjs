/**
 * A process that is killed while it writes: opens the directory, says each acknowledged send on a line `topic partition offset`,
 * and goes on until it is killed.  node unclean-writer.mjs DIRECTORY TOPIC PARTITION_COUNT ROUND
 */
import { bytes, open, utf8 } from "../../../dist/index.js";

const [directory, topic, partitionCount, round] = process.argv.slice(2);
const log = await open(directory);
const producer = log.producer({ key: utf8, value: bytes });
for (let index = 0; ; index++) {
  const partition = index % Number(partitionCount);
  const value = Buffer.from(`round ${round} record ${index} ${"x".repeat(index % 200)}`);
  const sent = producer.send({ topic, partition, key: `key-${index % 50}`, value, headers: [["round", round]] });
  const said = sent.then(({ offset }) => process.stdout.write(`${topic} ${partition} ${offset}\n`));
  // Some wait together, so that the kill falls among acknowledged, written and waiting ones.
  if (index % 10 === 9) await said;
}
