/** How costs grow with the members of one group: as many partitions as members, all in this process. */
import { bytes, open, utf8 } from "odradek";
import { medianMs } from "../harness/laps.mjs";
import { freshDirectory, remove } from "../harness/places.mjs";
import { quick } from "../harness/race.mjs";

/** A thousand members take so long that one lap is enough. */
const roundsOf = (members) => (quick || members >= 1_000 ? 1 : 3);
const SETTLE_MS_MAX = 60_000;
const POLL_MS = 5;

export const axis = "members";
export const points = { full: [1, 10, 100, 1_000], quick: [1, 10] };
export const series = {
  "the group forms": { unit: "ms", expected: "linear" },
  "one leaves, one comes": { unit: "ms", expected: "linear" },
  "all commit": { unit: "ms", expected: "linear" },
};

export async function visit(members, tell) {
  const rounds = roundsOf(members);
  const directory = freshDirectory("growth");
  const log = await open(directory);
  await log.createTopic("t", { durability: "os", partitions: members });
  const producer = log.producer({ key: utf8, value: bytes });
  await producer.sendBatch(
    Array.from({ length: members }, (_, partition) => ({ topic: "t", partition, key: null, value: new Uint8Array(100) })),
  );
  const join = async (groupId) => {
    const consumer = log.consumer({ groupId, key: bytes, value: bytes, enableAutoCommit: false });
    await consumer.subscribe(["t"]);
    return consumer;
  };
  let group = [];
  const formMs = await medianMs(rounds, async (round) => {
    for (const consumer of group) await consumer.close();
    group = [];
    for (let member = 0; member < members; member += 1) group.push(await join(`g${round}`));
    await settled(group, members);
  });
  tell("the group forms", formMs, null, rounds);
  if (members > 1) {
    const changeMs = await medianMs(rounds, async () => {
      await group.pop().close();
      group.push(await join(`g${rounds - 1}`));
      await settled(group, members);
    });
    tell("one leaves, one comes", changeMs, null, rounds);
  }
  const commitMs = await medianMs(rounds, async () => {
    await Promise.all(group.map((consumer) => consumer.commit(consumer.assignment().map((each) => ({ ...each, nextOffset: 1 })))));
  });
  tell("all commit", commitMs, null, rounds);
  await log.close();
  remove(directory);
}

/** Every member asks for records until each has a partition of its own. */
async function settled(group, partitions) {
  const until = performance.now() + SETTLE_MS_MAX;
  while (!isSettled(group, partitions)) {
    if (performance.now() > until) throw new Error(`the group of ${group.length} had not settled after ${SETTLE_MS_MAX} ms`);
    await Promise.all(group.map((consumer) => consumer.poll({ timeoutMs: POLL_MS })));
  }
}

function isSettled(group, partitions) {
  const assigned = group.flatMap((consumer) => consumer.assignment().map(({ partition }) => partition));
  return assigned.length === partitions && new Set(assigned).size === partitions && group.every((each) => each.assignment().length > 0);
}
