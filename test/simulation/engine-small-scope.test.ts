/** Every short program from a small alphabet, a loss of power at every call of its last step, and disks that it may leave. */
import { describe, expect, it } from "vitest";
import { CLEAN_SHUTDOWN_FILE } from "../../src/log/clean-shutdown.ts";
import { type CrashStorage, crashStorage } from "../../src/testing/crash-storage.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { openEngine, SIM_SCALE, watched } from "./engine-rig.ts";
import { Run, type Step } from "./engine-steps.ts";
import { World } from "./engine-world.ts";

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

/** Of this many disks that one crash may leave (all there are, or nothing, everything, each moment's, then any mixture) some are taken. */
const IMAGES_MADE = 40;
const IMAGES_TAKEN = 2;
/** What makes names durable comes when most of them are not: there the mixtures are. */
const IMAGES_TAKEN_AT_SYNC_DIRECTORY = 6;
const THE_END = "the end";
const CHANGES = /^(writeAt|truncate|sync|createDirectory|removeDirectory|replace|renameDirectory|remove|syncDirectory) /;

interface Crash {
  readonly image: CrashStorage;
  readonly world: World;
  readonly call: string;
}

function* programs(): Generator<Step[]> {
  for (const first of FIRST) {
    yield [first];
    for (const second of ALPHABET) {
      yield [first, second];
      for (const third of ALPHABET) yield [first, second, third];
    }
  }
}

/** Runs a program once, and gathers what a loss of power at each call of its last step (a clean close included) may leave. */
async function crashesOf(program: readonly Step[], random: SeededRandom): Promise<Crash[]> {
  const disk = crashStorage({ sectorByteLength: 512 });
  const crashes: Crash[] = [];
  const world = new World();
  let gathering = false;
  const gather = (call: string, count: number): void => {
    const images = [...disk.enumerateCrashes(IMAGES_MADE)];
    for (let taken = 0; taken < count && images.length > 0; taken += 1) {
      const [image] = images.splice(random.integer(0, images.length), 1);
      crashes.push({ image: image as CrashStorage, world: world.clone(), call });
    }
  };
  const storage = watched(disk, (call) => {
    if (!gathering || !CHANGES.test(call)) return;
    // Programs of three steps are many: some of their calls each, all of them with ODRADEK_SIM_SCALE=50.
    if (program.length === 3 && !random.chance(0.02 * SIM_SCALE)) return;
    const count = call.startsWith("syncDirectory") ? IMAGES_TAKEN_AT_SYNC_DIRECTORY : IMAGES_TAKEN;
    gather(call, program.length === 3 ? count : Math.ceil(count * SIM_SCALE));
  });
  const run = new Run(world, await openEngine(storage), () => openEngine(storage, 2));
  for (const [index, step] of program.entries()) {
    gathering = index === program.length - 1;
    await run.step(step);
  }
  await run.settled();
  gather(THE_END, IMAGES_TAKEN);
  gathering = false;
  if (run.errors.length > 0) throw run.errors[0];
  await run.life.engine.close();
  return crashes;
}

/** Opens what the crash left, holds it against the world, uses it, loses all that was not flushed, and looks again. */
async function survive({ image, world }: Crash): Promise<void> {
  world.losePower();
  const life = await openEngine(image, 3);
  await world.check(life);
  const run = new Run(world, life, () => Promise.reject(new Error("not reopened here")), 4);
  for (const step of [FIRST[0]!, ALPHABET[5]!, ALPHABET[6]!]) await run.step(step);
  if (run.errors.length > 0) throw run.errors[0];
  world.losePower();
  const last = await openEngine(image.crash(new SeededRandom(5), { survival: "nothing" }), 6);
  await world.check(last);
  await last.engine.close();
}

describe("programs of up to three steps", () => {
  it("leave whole topics, offsets and records, at whichever call the power goes", async () => {
    const random = new SeededRandom("small scope");
    let checked = 0;
    let count = 0;
    for (const program of programs()) {
      count += 1;
      const crashes = await crashesOf(program, random);
      for (const crash of crashes) {
        // The engine is open then: a broker that found the marker beside a crash would skip recovery.
        if (crash.call === THE_END) expect(crash.image.peek(CLEAN_SHUTDOWN_FILE), JSON.stringify(program)).toBeNull();
        try {
          await survive(crash);
        } catch (error) {
          throw new Error(`${JSON.stringify(program)}, power lost before "${crash.call}": ${String(error)}`, { cause: error });
        }
        checked += 1;
      }
    }
    if (SIM_SCALE > 1) console.log(`engine-small-scope: ${count} programs, ${checked} disks after a crash`);
    expect(checked).toBeGreaterThan(500);
  }, 3_600_000);
});
