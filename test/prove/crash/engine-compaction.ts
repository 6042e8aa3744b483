/** Whole engines whose topics are compacted, aged and deleted: programs crashed in the middle of passes, of retention and of deletions. */
import { holdsRecords } from "../../../src/engine/leftover.ts";
import { type CrashStorage, type CrashStorageOptions, crashStorage } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { KeyedPut } from "../../log/compaction-rig.ts";
import { type Life, NOW_MS, openEngine } from "../../simulation/engine-rig.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import { roomOf } from "./disk-room.ts";
import { isAlarm } from "./engine-topics.ts";
import { HOUR_MS, KEYED_TOPICS, type KeyedTopic, KeyedTopics } from "./keyed-topics.ts";
import { UNLIKE_BATCHES } from "./unlike-batches.ts";

const KEYS = ["a", "b", "c", "gone"];
/** Of the cleaner's offset map: so many keys take several passes, or one. */
const DEDUPE_BUFFER_BYTE_LENGTHS = [240, 1 << 16];
/** What a pass or a deletion leaves behind when it was cut short, and no opening may leave. */
const LEFT_BEHIND = /\.(cleaned|swap|deleted)$|-delete$/;
const MAINTAIN_CHANCE = 0.12;

export const compactionSubject: Subject<KeyedTopics> = {
  kind: "engine with compaction",
  clone: (facts) => facts.clone(),
  version: (facts) => facts.version(),
  losePower: (facts) => facts.losePower(),
  async glance(disk, facts) {
    const life = await openEngine(disk, 1, { startMs: facts.nowMs, readOnly: true });
    await facts.check(life, false);
    await life.engine.close();
  },
  async survive(disk, facts, stages, random) {
    const life = await open(disk, random, facts.nowMs + random.pick([0, 0, 2 * HOUR_MS]));
    stages.opened();
    await facts.check(life, true);
    const alarms = life.events.filter(isAlarm);
    if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${JSON.stringify(alarms)}`);
    await expectNothingLeft(disk, facts);
    stages.served();
    for (const [topic, { presence }] of facts.topics) {
      if (presence === "absent" && random.chance(0.3)) await facts.make(life, topic);
      if (facts.topics.get(topic)?.presence === "there") await facts.put(life, topic, puts(facts, random));
    }
    if (random.chance(MAINTAIN_CHANCE)) await facts.maintain(life);
    await facts.check(life, false);
  },
};

function open(disk: CrashStorage, random: SeededRandom, startMs: number): Promise<Life> {
  return openEngine(disk, random.integer(0, 1e9), { startMs, dedupeBufferByteLength: random.pick(DEDUPE_BUFFER_BYTE_LENGTHS) });
}

async function expectNothingLeft(disk: CrashStorage, { topics }: KeyedTopics): Promise<void> {
  for (const { name, kind } of await disk.list("")) {
    if (LEFT_BEHIND.test(name)) throw new Error(`after recovery there is ${name}`);
    const facts = topics.get(name.slice(0, -2) as KeyedTopic);
    if (kind === "file" || facts === undefined) continue;
    // A creation that was cut short may leave an empty one, which the next is put in the place of.
    if (facts.presence === "absent" && (await holdsRecords(disk, name)))
      throw new Error(`C3: the directory ${name} has records, and no topic: a new one would inherit them`);
    const left = (await disk.list(name)).find((file) => LEFT_BEHIND.test(file.name));
    if (left !== undefined) throw new Error(`after recovery there is ${name}/${left.name}`);
  }
}

function puts(facts: KeyedTopics, random: SeededRandom): KeyedPut[] {
  const put = (): KeyedPut => [random.pick(KEYS), random.chance(0.2) ? null : facts.newValue(random.integer(0, 30))];
  return Array.from({ length: random.integer(1, 4) }, put);
}

/** Which topics a program has: two, as each costs an opening. */
const PAIRS: readonly (readonly [KeyedTopic, KeyedTopic])[] = [
  ["kept", "brief"],
  ["kept", "aging"],
  ["quick", "aging"],
  ["quick", "brief"],
  ["turning", "kept"],
  ["turning", "aging"],
];

const ACTIONS = [
  "maintain",
  "maintain",
  "maintain",
  "maintain and put",
  "maintain and delete",
  "delete and make",
  "deleteRecords",
  "maintain, put and back up",
  "put and turn",
] as const;

/** A program by chance, crashed at some of the calls of its actions; what comes between them is not watched. */
export async function compactionCrashes(
  tree: CrashTree<KeyedTopics>,
  perCall: number,
  random: SeededRandom,
  newDisk: (options: CrashStorageOptions) => CrashStorage = crashStorage,
): Promise<Crashed<KeyedTopics>[]> {
  const disk = newDisk({
    sectorByteLength: random.pick([64, 128, 512]),
    ...latencyOf(random),
    ...UNLIKE_BATCHES,
    ...roomOf(random),
  });
  const topics = random.pick(PAIRS);
  const named = topics.join(" and ");
  const facts = new KeyedTopics(topics, NOW_MS, random.integer(0, 1_000_000));
  let life = await open(disk, random, NOW_MS);
  const crashes: Crashed<KeyedTopics>[] = [];
  const told: string[] = [];
  for (const topic of topics) await facts.make(life, topic);
  for (let round = random.integer(1, 4); round > 0; round -= 1) {
    for (const topic of topics) {
      for (let count = random.integer(2, 7); count > 0; count -= 1) {
        if (facts.topics.get(topic)?.presence === "absent") await facts.make(life, topic);
        await facts.put(life, topic, puts(facts, random));
      }
    }
    if (random.chance(0.5)) {
      life.clock.jump(2 * HOUR_MS);
      facts.nowMs = life.clock.now();
      told.push("two hours later");
    }
    const action = random.pick(ACTIONS);
    const topic = random.pick(topics);
    told.push(`${action} ${topic}`);
    disk.watch((call, name) => {
      if (random.chance(perCall)) crashes.push(tree.crash(disk, facts, `${named}: ${told.join(", ")}, before ${call} ${name}`));
    });
    const backup =
      action === "maintain, put and back up" ? crashStorage({ sectorByteLength: 64, ...latencyOf(random), ...UNLIKE_BATCHES }) : null;
    // What is there when it begins is in the copy; what comes meanwhile may be.
    const promised = facts.clone();
    await act(life, facts, { action, topic, backup }, random);
    disk.watch(null);
    if (backup !== null) {
      promised.mayHold(facts);
      const copied = backup.crash(random, { survival: "nothing" });
      crashes.push({ disk: copied, facts: promised, where: `${named}: ${told.join(", ")}: the copy, power lost`, kind: "power" });
    }
    if (random.chance(0.15)) {
      await life.engine.close();
      facts.closed();
      life = await open(disk, random, facts.nowMs);
      await facts.check(life, true);
      told.push("closed and opened");
    }
  }
  crashes.push(tree.crash(disk, facts, `${named}: ${told.join(", ")}, at the end`));
  disk.halt();
  return crashes;
}

interface Act {
  readonly action: (typeof ACTIONS)[number];
  readonly topic: KeyedTopic;
  /** Where to back up to. */
  readonly backup: CrashStorage | null;
}

async function act(life: Life, facts: KeyedTopics, { action, topic, backup }: Act, random: SeededRandom): Promise<void> {
  if (action === "delete and make") {
    await facts.remove(life, topic);
    return await facts.make(life, topic);
  }
  // Where nothing else takes records away, compaction is to keep the newest of each key.
  if (action === "deleteRecords" && facts.topics.get(topic)?.cleanupPolicy !== "compact" && topic !== "turning")
    return await facts.deleteRecords(life, topic, random.next());
  if (action === "put and turn" && !("retentionMs" in KEYED_TOPICS[topic])) {
    // Nobody waits for the other: what is not flushed yet has rolled when the topic becomes another.
    const before = Array.from({ length: random.integer(1, 4) }, () => facts.put(life, topic, puts(facts, random)));
    const turning = facts.turn(life, topic);
    const behind = Array.from({ length: random.integer(0, 4) }, () => facts.put(life, topic, puts(facts, random)));
    await Promise.all([...before, turning, ...behind]);
    return;
  }
  const passes = facts.maintain(life);
  const beside: Promise<void>[] = [];
  if (backup !== null) beside.push(life.engine.backup(backup).then(() => {}));
  if (action === "maintain and put" || backup !== null)
    for (let count = random.integer(1, 4); count > 0; count -= 1) beside.push(facts.put(life, topic, puts(facts, random)));
  if (action === "maintain and delete") {
    for (let turns = random.integer(0, random.pick([60, 2000])); turns > 0; turns -= 1) await null;
    beside.push(facts.remove(life, topic));
  }
  await Promise.all([passes, ...beside]);
}
