/**
 * Processes under load, killed in every way a system has, one after another on one real directory, or as the owner of what eight others are attached
 * to; a reader that is not ours looks at what each left.
 */
import { existsSync } from "node:fs";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Failure, Prover, Tally, Trial } from "../prover.ts";
import { diskGround, type Ground, smallGround } from "./ground.ts";
import { Heard } from "./heard.ts";
import { type Death, liveAndDie } from "./life.ts";
import { type DeathKind, drawLife, type LifePlan } from "./life-plan.ts";
import { checkRemains } from "./remains.ts";
import { runTakeovers } from "./takeovers.ts";

const PACKAGE = new URL("../../../dist/index.js", import.meta.url);
/** The undisturbed life at the end not counted. */
const LIVES: readonly [least: number, limit: number] = [6, 10];
const ON_DISK: readonly DeathKind[] = [
  "time",
  "time",
  "time",
  "call",
  "call",
  "call",
  "call",
  "close",
  "term",
  "exit",
  "stop",
  "handles",
  "size",
];
const ON_SMALL: readonly DeathKind[] = ["time", "call", "call", "close", "exit"];
/** Of the trials so many are of processes that share a directory. From chance of its own: the others are what they would be without. */
const SHARED_SHARE = 0.15;
const SHARED_SALT = 0x5a17;
const TAKEOVER_MS_MAX = 10_000;

interface Opened {
  close(): Promise<void>;
}
type Opener = (directory: string) => Promise<Opened>;

/** `entry`: the package whose processes are killed. */
export function killsProverOf(entry: URL = PACKAGE): Prover {
  return { name: "kills", unit: "killCycles", run: (trial) => run(trial, entry.href) };
}

export const killsProver: Prover = killsProverOf();

async function run(trial: Trial, entry: string): Promise<Tally> {
  if (!existsSync(PACKAGE)) throw new Error(`${PACKAGE.href} is not there: the package is built first, with npm run build`);
  const shared = new SeededRandom(trial.seed ^ SHARED_SALT);
  if (shared.chance(SHARED_SHARE)) {
    return await runTakeovers({ directory: trial.directory(), entry, random: shared, takeoverMsMax: TAKEOVER_MS_MAX, say: trial.say });
  }
  const random = new SeededRandom(trial.seed);
  const isSmall = random.chance(0.15);
  const kinds = isSmall ? ON_SMALL : ON_DISK;
  const deaths = Array.from({ length: random.integer(...LIVES) }, () => random.pick(kinds));
  const directory = trial.directory();
  const ground = isSmall ? await smallGround(directory) : diskGround(directory);
  if (ground === null) {
    trial.say("kills: a file system of 1 MiB is not permitted here: nothing is tried and nothing counted");
    return { counts: { killCycles: 0 }, failures: [] };
  }
  try {
    return await runLives({ trial, random, entry, ground, isSmall, heard: new Heard() }, deaths);
  } finally {
    ground.leave();
  }
}

export interface Place {
  readonly trial: Trial;
  readonly random: SeededRandom;
  readonly entry: string;
  readonly ground: Ground;
  readonly isSmall: boolean;
  readonly heard: Heard;
}

/** Lives that end as `deaths` says, and one that nobody disturbs; what is wrong ends them. */
export async function runLives(place: Place, deaths: readonly DeathKind[]): Promise<Tally> {
  const { trial, random, entry, ground, isSmall, heard } = place;
  const segmentBytes = random.pick([4096, 16_384, 65_536, 1 << 20, 1 << 20]);
  const failures: Failure[] = [];
  let killCycles = 0;
  for (const kind of [...deaths, "sound" as const]) {
    const life = heard.lifeCount;
    if (kind === "sound") ground.grow();
    const { plan, fate } = drawLife(random.fork(), life, kind, { segmentBytes, limited: isSmall && kind !== "sound" });
    const stopped: Failure[] = [];
    const death = await liveAndDie(ground, entry, plan, fate, heard, async (pid) => {
      stopped.push(...(await checkRefusal(entry, ground.directory, pid)));
    });
    if (kind === "stop" && heard.phase !== "start") stopped.push(...(await checkFreed(entry, ground.directory)));
    const found = [...checkDeath(death, plan, heard), ...stopped, ...checkRemains(ground.seenAs, heard)];
    const where = `seed ${trial.seed}, life ${life} (${isSmall ? "1 MiB, " : ""}${kind}${plan.at === null ? "" : ` at ${describe(plan)}`}): `;
    failures.push(...found.map(({ breach, what }) => ({ breach, what: where + what })));
    const errors = [...heard.errors].map(([error, count]) => `${count} x ${error}`).join(", ");
    const acknowledged = [...heard.values.values()].reduce((sum, { size }) => sum + size, 0);
    trial.say(
      `${where}${fate.since}+${fate.delayMs} ms limit ${fate.limit}, ${plan.works.join(" ")}: ended ${heard.phase}, ${death.signal ?? death.code}; ${errors}; ${acknowledged} records acknowledged so far`,
    );
    // What was closed before it died was not killed in the middle of anything.
    if (kind !== "sound" && heard.phase !== "closed") killCycles += 1;
    if (failures.length > 0) break;
  }
  return { counts: { killCycles }, failures };
}

function describe({ at, action }: LifePlan): string {
  return at === null ? "" : `${at.nth}. ${at.phase ?? "any"} ${at.calls?.join("|") ?? "call"} ${at.name ?? ""} ${at.moment}, ${action}`;
}

/** It ended as it was to end, said nothing on stderr, and was refused nothing unless it had limits. */
function checkDeath({ signal, code, complaint, hung }: Death, plan: LifePlan, heard: Heard): Failure[] {
  const failures: Failure[] = [];
  const tell = (what: string): void => void failures.push({ breach: "other", what });
  if (complaint !== "" && !(plan.limited && isStartRefused(complaint))) tell(`stderr: ${complaint.slice(0, 2000)}`);
  if (hung) tell(`was ${heard.phase} for too long`);
  const isExpected = plan.sound
    ? code === 0
    : signal === "SIGKILL" ||
      signal === "SIGXFSZ" ||
      (plan.action === "SIGTERM" && signal === "SIGTERM") ||
      (plan.action === "exit" && code === 0) ||
      (plan.limited && isStartRefused(complaint));
  if (!isExpected && !hung) tell(`ended with ${signal ?? `code ${code}`}`);
  if (plan.sound && heard.phase !== "closed" && !hung) tell(`ended ${heard.phase}, not closed`);
  return failures;
}

/** With too few descriptors, or too little space, the runtime itself may not get as far as our first line. */
function isStartRefused(complaint: string): boolean {
  return complaint !== "" && /EMFILE|too many open files/i.test(complaint) && !/odradek.*Error/i.test(complaint);
}

/** A directory whose owner stands still is not free: the second opener is told who has it. */
async function checkRefusal(entry: string, directory: string, pid: number): Promise<Failure[]> {
  const open = await openerOf(entry);
  try {
    const log = await open(directory);
    await log.close();
    return [{ breach: "other", what: `C6: a second process opened the directory while process ${pid} stood still with it` }];
  } catch (error) {
    const { code, holder } = error as { readonly code?: string; readonly holder?: { readonly pid?: number } | null };
    if (code === "DIRECTORY_IN_USE" && holder?.pid === pid) return [];
    return [
      {
        breach: "other",
        what: `C6: the second opener was to be told of process ${pid}, and was told ${String(error)} (${JSON.stringify(holder)})`,
      },
    ];
  }
}

/** The kernel drops a dead owner's lock. */
async function checkFreed(entry: string, directory: string): Promise<Failure[]> {
  const open = await openerOf(entry);
  try {
    const log = await open(directory);
    await log.close();
    return [];
  } catch (error) {
    return [{ breach: "other", what: `C6: after the stopped owner was killed the directory could not be opened: ${String(error)}` }];
  }
}

async function openerOf(entry: string): Promise<Opener> {
  const { open } = (await import(entry)) as { readonly open: Opener };
  return open;
}
