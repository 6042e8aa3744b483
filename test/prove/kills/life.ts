/** One process from its start to its death, heard out to its last whole line. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Ground } from "./ground.ts";
import type { Heard } from "./heard.ts";
import type { Fate, LifePlan } from "./life-plan.ts";

const CHILD = fileURLToPath(new URL("kill-child.mjs", import.meta.url));
/** Who says nothing for so long hangs. */
const START_MS_MAX = 20_000;
const FIRST_WORK_MS_MAX = 500;

/** How it ended: by which signal or with which code, and what it complained of. */
export interface Death {
  readonly pid: number;
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly complaint: string;
  /** Whether the one who waits at most so long had to end it. */
  readonly hung: boolean;
}

/** `onStopped` is called while the process stands still, if that is its fate. */
export async function liveAndDie(
  ground: Ground,
  entry: string,
  plan: LifePlan,
  fate: Fate,
  heard: Heard,
  onStopped: (pid: number) => Promise<void>,
): Promise<Death> {
  heard.beginLife();
  const [program = "", ...rest] = ground.command([
    ...limits(fate),
    process.execPath,
    CHILD,
    JSON.stringify({ ...plan, entry, directory: ground.directory }),
  ]);
  const running = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  const ending = hearOut(running, heard, () => onLines());
  let onLines = (): void => {};
  const comesTo = (since: Fate["since"]): Promise<boolean> =>
    new Promise((resolve) => {
      onLines = () => {
        if (hasReached(heard.phase, since)) resolve(true);
      };
      onLines();
    });
  const timers: NodeJS.Timeout[] = [];
  const passed = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      timers.push(setTimeout(resolve, delayMs));
    });
  const ended = ending.then(() => true);
  let hung = false;
  if (fate.since !== "start") hung = !(await Promise.race([comesTo("open"), ended, passed(START_MS_MAX).then(() => false)]));
  // Who is refused everything never works.
  if (fate.since === "working") await Promise.race([comesTo("working"), ended, passed(FIRST_WORK_MS_MAX)]);
  await Promise.race([ending, passed(fate.delayMs)]);
  if (running.exitCode === null && running.signalCode === null) {
    if (plan.sound) hung = true;
    if (fate.kind === "stop" && running.pid !== undefined) {
      running.kill("SIGSTOP");
      await onStopped(running.pid);
    }
    running.kill("SIGKILL");
  }
  const { signal, code, complaint } = await ending;
  for (const timer of timers) clearTimeout(timer);
  return { pid: running.pid ?? 0, signal, code, complaint, hung };
}

function limits({ kind, limit }: Fate): string[] {
  if (kind !== "handles" && kind !== "size") return [];
  return ["sh", "-c", `ulimit -${kind === "handles" ? "n" : "f"} ${limit}; exec "$@"`, "sh"];
}

function hasReached(phase: Heard["phase"], since: Fate["since"]): boolean {
  return (
    since === "start" || phase === "working" || phase === "refused" || phase.startsWith("clos") || (since === "open" && phase === "open")
  );
}

function hearOut(
  running: ChildProcess,
  heard: Heard,
  onLines: () => void,
): Promise<{ readonly signal: NodeJS.Signals | null; readonly code: number | null; readonly complaint: string }> {
  let rest = "";
  let complaint = "";
  running.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    complaint += chunk;
  });
  running.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard.hear(line);
    onLines();
  });
  return new Promise((resolve, reject) => {
    running.on("error", reject);
    running.on("close", (code, signal) => resolve({ signal, code, complaint }));
  });
}
