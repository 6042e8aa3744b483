/** What the tests of the storage contract are written with. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { errnoOf } from "../storage/errno.ts";

/** As much of a test framework as the suite needs; vitest, jest and node:test with any `expect` have it. */
export interface TestFramework {
  /** Names a group of tests. */
  readonly describe: (name: string, body: () => void) => void;
  /** Registers a test. */
  readonly it: (name: string, body: () => Promise<void>) => void;
  /** Its `toEqual` throws unless both are deeply equal. */
  readonly expect: (actual: unknown) => {
    /** Deep equality of plain data, arrays and typed arrays. */
    toEqual(expected: unknown): void;
  };
}

/** Registers one test: `body` gets a driver on empty storage. */
export type Promises = (sentence: string, body: (driver: StorageDriver) => Promise<void>) => void;

/** Bytes that tell where they stand. */
export function pattern(byteLength: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at++) bytes[at] = (at * 31 + (at >>> 8) + salt) & 0xff;
  return bytes;
}

/** The error of a call that must be refused, whether it throws or rejects. */
export async function refusal(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("expected the call to be refused, but it was not");
}

export async function refusedErrno(call: () => unknown): Promise<string | null> {
  return errnoOf(await refusal(call));
}

/** The entries of a directory as sorted text. */
export async function listed(driver: StorageDriver, directory: string): Promise<string[]> {
  return (await driver.list(directory)).map((entry) => `${entry.kind} ${entry.name}`).sort();
}

export async function fileWith(driver: StorageDriver, file: string, bytes: Uint8Array): Promise<void> {
  const handle = await driver.open(file, { create: "if-missing" });
  handle.writeAt(bytes, 0);
  await handle.close();
}

/** Everything a file holds; what a short read leaves out is missing. */
export async function contentOf(driver: StorageDriver, file: string): Promise<Uint8Array> {
  const handle = await driver.open(file, { create: "no", readOnly: true });
  const bytes = new Uint8Array(handle.byteLength());
  const byteLength = handle.readAt(bytes, 0);
  await handle.close();
  return bytes.subarray(0, byteLength);
}

/** Of two as long: 0 where equal, else one more than where they differ. Comparing large arrays through `expect` takes seconds. */
export function firstDifference(left: Uint8Array, right: Uint8Array): number {
  return left.findIndex((byte, at) => byte !== right[at]) + 1;
}
