/** A process that takes and gives back directory locks as it is told, one line of JSON at a time. Bundled by lock-processes.ts. */
import { createInterface } from "node:readline";
import type { StorageLock } from "../../src/api/storage-driver.ts";
import { nodeHolder } from "../../src/storage/node.ts";
import { type DirectoryLockOptions, lockDirectory } from "../../src/storage/node-lock.ts";

let lock: StorageLock | null = null;

async function obey(order: { readonly do: string; readonly directory: string; readonly options: DirectoryLockOptions }): Promise<object> {
  try {
    if (order.do === "lock") lock = await lockDirectory(order.directory, nodeHolder(), order.options);
    if (order.do === "release") await lock?.release();
    return { held: lock?.stillHeld() ?? false };
  } catch (error) {
    const { code, message, holder } = error as { code?: unknown; message?: unknown; holder?: unknown };
    return { held: false, code, message, holder };
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  void obey(JSON.parse(line)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
});
process.stdin.on("end", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ pid: process.pid })}\n`);
