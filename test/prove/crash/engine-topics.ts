/** Whole engines with topics, groups and their offsets: short programs in rotation and longer ones by chance, crashed at their calls. */
import type { OdradekEvent } from "../../../src/api/odradek.ts";
import { CLEAN_SHUTDOWN_FILE } from "../../../src/log/books/clean-shutdown.ts";
import { crashStorage } from "../../../src/testing/crash-storage.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { openEngine } from "../../simulation/engine-rig.ts";
import { Run, randomStep, type Step } from "../../simulation/engine-steps.ts";
import { World } from "../../simulation/engine-world.ts";
import type { Crashed, CrashTree, Subject } from "./crash-tree.ts";
import { latencyOf } from "./disk-latency.ts";
import { roomOf } from "./disk-room.ts";
import { UNLIKE_BATCHES } from "./unlike-batches.ts";

const FIRST: readonly Step[] = [false, true].map((os): Step => ({ kind: "create", topic: "a", partitions: 2, os }));

/** One of each kind; lengths such that the second batch rolls. */
const ALPHABET: readonly Step[] = [
  { kind: "create", topic: "b", partitions: 1, os: false },
  { kind: "create", topic: "a", partitions: 1, os: false },
  { kind: "delete", topic: "a" },
  { kind: "alter", topic: "a", retentionBytes: 123_456 },
  { kind: "partitions", topic: "a" },
  { kind: "produce", topic: "a", partition: 0, count: 3, length: 80, wait: true },
  { kind: "commit", group: "g", topic: "a", partition: 0, share: 0.99, durable: true, wait: true },
  { kind: "commit", group: "g", topic: "a", partition: 0, share: 0.99, durable: false, wait: true },
  { kind: "deleteRecords", topic: "a", partition: 0, share: 0.99 },
  { kind: "reopen" },
];

/** Behind every crash some of it works, each as often as said; all of it is held against the world again in so many cases. */
const USE: readonly (readonly [chance: number, step: Step])[] = [
  [0.7, { kind: "create", topic: "a", partitions: 1, os: false }],
  [0.7, { kind: "produce", topic: "a", partition: 0, count: 2, length: 20, wait: true }],
  [0.5, { kind: "commit", group: "g", topic: "a", partition: 0, share: 0.99, durable: true, wait: true }],
  [0.15, { kind: "create", topic: "c", partitions: 1, os: false }],
];
const AGAIN_WHOLE_CHANCE = 0.25;

/** As `randomStep`, with what the engine's own books go through more often, and hardly a partition more than one: each costs an opening. */
function smallStep(random: SeededRandom): Step {
  const topic = random.chance(0.75) ? "a" : "b";
  const partition = random.chance(0.85) ? 0 : 1;
  const roll = random.integer(0, 30);
  if (roll < 3) return { kind: "create", topic, partitions: random.chance(0.85) ? 1 : 2, os: random.chance(0.4) };
  if (roll < 5) return { kind: "delete", topic };
  if (roll < 6) return { kind: "alter", topic, retentionBytes: random.integer(100_000, 900_000) };
  if (roll < 7) return { kind: "partitions", topic };
  if (roll < 16)
    return { kind: "produce", topic, partition, count: random.integer(1, 4), length: random.integer(3, 90), wait: random.chance(0.6) };
  if (roll < 20)
    return { kind: "commit", group: "g", topic, partition, share: random.next(), durable: random.chance(0.4), wait: random.chance(0.6) };
  if (roll < 21) return { kind: "look", topic, partition };
  if (roll < 23) return { kind: "deleteRecords", topic, partition, share: random.next() };
  if (roll < 26) return { kind: "retain", topic };
  if (roll < 28) return { kind: "advance", ms: random.pick([100, 61_000]) };
  return { kind: "reopen" };
}

/** Programs of one to three steps: the first makes topic a, on a "sync" or an "os" topic, the others are of the ten. All of them, in rotation by their number. */
export const PROGRAM_COUNT: number = FIRST.length * (1 + ALPHABET.length + ALPHABET.length ** 2);

export function shortProgram(number: number): readonly Step[] {
  const first = FIRST[number % FIRST.length] as Step;
  const rest = Math.floor(number / FIRST.length) % (PROGRAM_COUNT / FIRST.length);
  if (rest === 0) return [first];
  if (rest <= ALPHABET.length) return [first, ALPHABET[rest - 1] as Step];
  const pair = rest - 1 - ALPHABET.length;
  return [first, ALPHABET[Math.floor(pair / ALPHABET.length)] as Step, ALPHABET[pair % ALPHABET.length] as Step];
}

export const topicsSubject: Subject<World> = {
  kind: "engine",
  clone: (world) => world.clone(),
  version: (world) => world.version(),
  losePower: (world) => world.losePower(),
  async glance(disk, world) {
    const life = await openEngine(disk, 1, { readOnly: true });
    await world.check(life, true);
    await life.engine.close();
  },
  async survive(disk, world, stages, random) {
    const life = await openEngine(disk, random.integer(0, 1_000_000));
    stages.opened();
    await world.check(life);
    const alarms = life.events.filter(isAlarm);
    if (alarms.length > 0) throw new Error(`C9: after a crash alone: ${JSON.stringify(alarms)}`);
    stages.served();
    const run = new Run(world, life, () => Promise.reject(new Error("not reopened here")), random.integer(0, 1_000_000));
    for (const [chance, step] of USE) if (random.chance(chance)) await run.step(step);
    if (run.errors.length > 0) throw run.errors[0];
    if (random.chance(AGAIN_WHOLE_CHANCE)) await world.check(life);
  },
};

export function isAlarm({ type }: OdradekEvent): boolean {
  return /^(seal\.ignored|txnindex\.|snapshot\.|swap\.ignored)/.test(type);
}

/** A loss of power at each call of the program's last step, of its close, and at the end: of each some images, by chance. */
export async function shortCrashes(
  tree: CrashTree<World>,
  program: readonly Step[],
  perCall: number,
  random: SeededRandom,
): Promise<Crashed<World>[]> {
  const disk = crashStorage({
    sectorByteLength: random.pick([64, 512]),
    ...latencyOf(random),
    ...UNLIKE_BATCHES,
    ...roomOf(random),
  });
  const world = new World();
  const crashes: Crashed<World>[] = [];
  const told = JSON.stringify(program);
  const gather = (where: string, count: number): void => {
    for (let left = count; left > 0; left -= 1)
      if (random.chance(Math.min(1, left))) crashes.push(tree.crash(disk, world, `${told}, before ${where}`));
  };
  const run = new Run(
    world,
    await openEngine(disk, random.integer(0, 1e9)),
    () => openEngine(disk, random.integer(0, 1e9)),
    random.integer(0, 1e9),
  );
  for (const [index, step] of program.entries()) {
    if (index === program.length - 1) disk.watch((call, name) => gather(`${call} ${name}`, perCall));
    await run.step(step);
  }
  await run.settled();
  gather("the end", 1);
  // The engine is open: a broker that found the marker beside a crash would skip its recovery.
  for (let left = 3; left > 0; left -= 1) {
    if (disk.afterCrash(random).peek(CLEAN_SHUTDOWN_FILE) !== null)
      throw new Error(`C9: ${told}: a crash may leave the marker of a clean shutdown`);
  }
  if (run.errors.length > 0) throw run.errors[0];
  await run.life.engine.close();
  disk.watch(null);
  disk.halt();
  return crashes;
}

/** Of longer programs, those with three partitions to a topic and two groups. */
const SPACIOUS_CHANCE = 0.15;

/** A program by chance, crashed at some of its calls. */
export async function longCrashes(tree: CrashTree<World>, perCall: number, random: SeededRandom): Promise<Crashed<World>[]> {
  const disk = crashStorage({
    sectorByteLength: 64,
    ...latencyOf(random),
    ...UNLIKE_BATCHES,
    ...roomOf(random),
  });
  const world = new World();
  const crashes: Crashed<World>[] = [];
  const told: string[] = [];
  // From the first opening of an empty disk on.
  disk.watch((call, name) => {
    if (random.chance(perCall)) crashes.push(tree.crash(disk, world, `${told.join(" ")}, before ${call} ${name}`));
  });
  const run = new Run(
    world,
    await openEngine(disk, random.integer(0, 1_000_000)),
    () => openEngine(disk, random.integer(0, 1_000_000)),
    random.integer(0, 1_000_000),
  );
  const first: Step = { kind: "create", topic: "a", partitions: 1, os: random.chance(0.4) };
  const step = random.chance(SPACIOUS_CHANCE) ? randomStep : smallStep;
  for (const next of [first, ...Array.from({ length: random.integer(4, 12) }, () => step(random))]) {
    told.push(JSON.stringify(next));
    await run.step(next);
  }
  await run.settled();
  if (run.errors.length > 0) throw run.errors[0];
  disk.watch(null);
  disk.halt();
  return crashes;
}
