/** Where a directory lies whose writers are killed: on the disk, or on a file system of 1 MiB in memory that only its own processes see. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";

export interface Ground {
  /** The data directory, as its writers name it. */
  readonly directory: string;
  /** The same, as this process reads it. */
  readonly seenAs: string;
  /** What runs `command` there. */
  readonly command: (command: readonly string[]) => string[];
  /** Room for four times as much. */
  readonly grow: () => void;
  readonly leave: () => void;
}

export function diskGround(directory: string): Ground {
  return {
    directory: join(directory, "data"),
    seenAs: join(directory, "data"),
    command: (command) => [...command],
    grow: () => {},
    leave: () => {},
  };
}

/**
 * A file system of 1 MiB over `directory`, in a mount namespace that one process keeps: when that process goes, with us at the
 * latest, nothing is left to unmount. Null where the system does not permit it.
 */
export async function smallGround(directory: string): Promise<Ground | null> {
  if (process.platform !== "linux") return null;
  const mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && echo mounted && read forever';
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const keeper = spawn("unshare", [...asRoot, "--mount", "sh", "-c", mount, directory], { stdio: ["pipe", "pipe", "ignore"] });
  if (!(await isMounted(keeper))) return null;
  const enter = [
    "nsenter",
    "--target",
    String(keeper.pid),
    "--mount",
    ...(asRoot.length === 0 ? [] : ["--user", "--preserve-credentials"]),
  ];
  return {
    directory: join(directory, "data"),
    seenAs: join(`/proc/${keeper.pid}/root`, directory, "data"),
    command: (command) => [...enter, ...command],
    grow: () => {
      const [program = "", ...rest] = [...enter, "mount", "-o", "remount,size=4m", directory];
      const { status } = spawnSync(program, rest, { stdio: "ignore" });
      if (status !== 0) throw new Error(`${directory} could not be mounted with more room: status ${status}`);
    },
    leave: () => void keeper.kill("SIGKILL"),
  };
}

function isMounted(keeper: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    keeper.stdout?.once("data", () => resolve(true));
    keeper.once("error", () => resolve(false));
    keeper.once("close", () => resolve(false));
  });
}
