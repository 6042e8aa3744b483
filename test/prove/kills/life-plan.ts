/** How one process lives and dies, drawn by chance. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";

export type StorageMoment = "before" | "after" | "during" | "half";

/** The call of the storage at which a process ends itself; null for any. */
export interface DeathCall {
  readonly phase: "open" | "work" | "close" | null;
  readonly calls: readonly string[] | null;
  readonly name: string | null;
  readonly nth: number;
  readonly moment: StorageMoment;
  /** Of a write that ends half done: how much of it. */
  readonly half: number;
}

export const DEATHS = ["time", "call", "close", "term", "exit", "stop", "handles", "size", "sound"] as const;
export type DeathKind = (typeof DEATHS)[number];

export interface TopicPlan {
  readonly partitions?: number;
  readonly durability?: "os";
  readonly cleanupPolicy?: "compact";
  readonly retentionBytes?: number;
}

export const RETENTION_BYTES = 24_000;

/** What every directory has in it. */
const TOPICS: readonly (readonly [topic: string, plan: TopicPlan])[] = [
  ["sync", { partitions: 2 }],
  ["os", { durability: "os" }],
  ["short", { retentionBytes: RETENTION_BYTES }],
  ["trimmed", {}],
  ["left", {}],
  ["right", {}],
  ["input", {}],
  ["keyed", { cleanupPolicy: "compact" }],
];

const WORKS = [
  "sync0",
  "sync1",
  "os",
  "short",
  "trimmed",
  "commits",
  "transactions0",
  "transactions1",
  "puts",
  "cleans",
  "topics",
] as const;

/** What the process is given. */
export interface LifePlan {
  readonly life: number;
  readonly segmentBytes: number;
  readonly compression: "none" | "gzip";
  /** Values are 20 to 20 + `spread` bytes long. */
  readonly spread: number;
  readonly topics: typeof TOPICS;
  readonly works: readonly string[];
  readonly at: DeathCall | null;
  /** What it does to itself at that call. */
  readonly action: "SIGKILL" | "SIGTERM" | "exit";
  readonly onTerm: boolean;
  readonly killAfterTermMs: number;
  readonly closesAfterMs: number | null;
  /** Whether refusals of the system are to be expected. */
  readonly limited: boolean;
  /** How far ahead of what is written its storage says that a file is best made long. */
  readonly aheadByteLength: number;
  readonly sound: boolean;
}

/** What is done to it from outside. */
export interface Fate {
  readonly kind: DeathKind;
  /** When the clock of `delayMs` begins to run. */
  readonly since: "start" | "open" | "working";
  readonly delayMs: number;
  /** The limit of `ulimit -n`, or of `ulimit -f` in blocks of 512 bytes. */
  readonly limit: number;
}

/** What the driver itself says where little is written, and less, so that lives write more than that. */
const AHEAD_BYTE_LENGTHS = [4096, 65_536, 4 * 1024 * 1024];

/** Long enough for whatever a life has planned for itself; who lives longer is killed all the same. */
const PATIENCE_MS = 400;

export function drawLife(
  random: SeededRandom,
  life: number,
  kind: DeathKind,
  directory: Pick<LifePlan, "segmentBytes" | "limited">,
): { readonly plan: LifePlan; readonly fate: Fate } {
  const since = random.pick(["start", "open", "working", "working"] as const);
  const works = random.chance(0.3) ? WORKS : WORKS.filter(() => random.chance(0.5));
  const isSound = kind === "sound";
  // Where space is what ends it, it is to be used up.
  const fills = kind === "size" || (directory.limited && !isSound);
  const plan: LifePlan = {
    life,
    segmentBytes: directory.segmentBytes,
    compression: fills ? "none" : random.pick(["none", "gzip"] as const),
    spread: fills ? 3000 : random.pick([40, 400, 3000]),
    topics: TOPICS,
    works: works.length === 0 ? WORKS : fills ? [...new Set(["sync0", "os", ...works])] : works,
    at: drawCall(random, kind),
    action: kind === "exit" ? "exit" : kind === "term" ? "SIGTERM" : "SIGKILL",
    onTerm: random.chance(0.6),
    killAfterTermMs: random.integer(0, 30),
    closesAfterMs: kind === "close" ? random.integer(5, 60) : null,
    limited: directory.limited || kind === "handles" || kind === "size",
    aheadByteLength: AHEAD_BYTE_LENGTHS[life % AHEAD_BYTE_LENGTHS.length] as number,
    sound: isSound,
  };
  const isPlain = kind === "time" || kind === "stop" || kind === "handles" || kind === "size";
  const fate: Fate = isPlain
    ? {
        kind,
        since: kind === "time" ? since : kind === "handles" ? "open" : "working",
        // A process takes about 150 ms to start, and as long again to be open where much is to be recovered.
        delayMs:
          kind === "time" && since === "start" ? random.integer(80, 300) : random.integer(1, fills ? 300 : random.pick([20, 80, 250])),
        // Small blocks: most notes of a partition's state are refused; large ones: its log alone.
        limit: kind === "handles" ? random.integer(28, 90) : random.pick([random.integer(4, 60), random.integer(281, 400)]),
      }
    : { kind, since: "open", delayMs: isSound ? 20_000 : PATIENCE_MS, limit: 0 };
  return { plan, fate };
}

function drawCall(random: SeededRandom, kind: DeathKind): DeathCall | null {
  const half = random.next();
  const moment = random.pick(["before", "after", "during", "half"] as const);
  const any = { phase: null, calls: null, name: null, moment, half } as const;
  // In the middle of a flush: the call is with the system when the process ends.
  if (kind === "term" || kind === "exit")
    return { ...any, phase: "work", calls: ["sync"], name: random.pick([null, "\\.log$"]), nth: random.integer(1, 30), moment: "during" };
  if (kind === "close") return { ...any, phase: "close", nth: random.integer(1, 120) };
  if (kind !== "call") return null;
  return random.pick<() => DeathCall>([
    () => ({ ...any, phase: "open", nth: random.integer(1, random.pick([10, 60, 250])) }),
    () => ({ ...any, phase: "work", nth: random.integer(1, random.pick([20, 400])) }),
    () => ({ ...any, phase: "work", calls: ["open"], name: "\\.(log|index|timeindex|seal)$", nth: random.integer(1, 8) }),
    () => ({ ...any, calls: ["sync", "syncDirectory"], nth: random.integer(1, 30) }),
    () => ({
      ...any,
      phase: "work",
      calls: ["replace", "remove", "renameDirectory", "removeDirectory", "createDirectory"],
      nth: random.integer(1, 16),
    }),
    () => ({ ...any, calls: ["replace", "remove", "renameDirectory", "removeDirectory", "createDirectory"], nth: random.integer(1, 30) }),
    () => ({ ...any, name: "\\.(cleaned|swap|deleted)$", nth: random.integer(1, 40) }),
    () => ({
      ...any,
      calls: ["writeAt"],
      name: random.pick(["\\.log$", "odradek\\.state$", "\\.(snapshot|seal|txnindex|cleaned)$"]),
      nth: random.integer(1, 60),
      moment: "half",
    }),
    () => ({ ...any, name: "^[^/]*$", nth: random.integer(1, 40) }),
    () => ({ ...any, name: "^__", nth: random.integer(1, 40) }),
  ])();
}
