/** What the tests of the lock share: a directory for each test, processes that open it, and the proof that nobody holds it. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { StorageError } from "../../src/base/errors.ts";
import { nodeHolder } from "../../src/storage/node.ts";
import { type DirectoryLockOptions, lockDirectory } from "../../src/storage/node-lock.ts";
import { bundleOpener, Opener } from "./lock-processes.ts";

export type Mechanism = "auto" | "socket";

/** The program that a process or a worker opens the directory with. */
export let bundle: Awaited<ReturnType<typeof bundleOpener>>;
/** Empty, and another for each test. */
export let directory = "";
let openers: Opener[] = [];

/** To be called by each file that uses what is exported here. */
export function useLockBed(): void {
  beforeAll(async () => {
    bundle = await bundleOpener();
  });
  afterAll(() => bundle.remove());
  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "odradek-lock-")));
  });
  afterEach(async () => {
    await Promise.all(openers.map((opener) => opener.kill()));
    openers = [];
    rmSync(directory, { recursive: true });
  });
}

export const optionsOf = (mechanism: Mechanism, more: Partial<DirectoryLockOptions> = {}): DirectoryLockOptions => ({
  mechanism,
  allowNetworkFileSystem: false,
  ...more,
});

export async function opener(wrap: readonly string[] = [], nodeArguments: readonly string[] = []): Promise<Opener> {
  const one = await Opener.start(bundle.path, wrap, nodeArguments);
  openers.push(one);
  return one;
}

export const lockOrder = (mechanism: Mechanism, more: Partial<DirectoryLockOptions> = {}): object => ({
  do: "lock",
  directory,
  options: optionsOf(mechanism, more),
});

/** Takes the lock here and gives it back: the proof that nobody else has it. */
export async function takeAndRelease(mechanism: Mechanism): Promise<void> {
  const lock = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
  expect(lock.stillHeld()).toBe(true);
  await lock.release();
}

export async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return error as StorageError;
}
