/** Directories to write into, on a real disk, gone when the bench ends. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// Not the system's temporary directory: that is often in memory, where every flush is free.
export const placesRoot = fileURLToPath(new URL("../../build/bench", import.meta.url));

const made = [];

export function freshDirectory(name) {
  mkdirSync(placesRoot, { recursive: true });
  const directory = mkdtempSync(join(placesRoot, `${name}-`));
  made.push(directory);
  return directory;
}

export function remove(directory) {
  rmSync(directory, { recursive: true, force: true });
}

process.on("exit", () => made.forEach(remove));
