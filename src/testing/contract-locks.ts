/** The storage contract, the part on the lock: one holder, and nobody after release. */
import type { LockHolder } from "../api/storage-driver.ts";
import { type Promises, refusal, type TestFramework } from "./contract-kit.ts";

const HOLDER: LockHolder = { pid: 1, runtime: "contract", version: "1", since: "2020-01-01T00:00:00.000Z", argv: [], hostname: "here" };
const LOCK = { mechanism: "auto", allowNetworkFileSystem: false } as const;

export function lockContract(promise: Promises, expect: TestFramework["expect"]): void {
  promise("is held by one, and free again after release", async (driver) => {
    const lock = await driver.lock(HOLDER, LOCK);
    expect(lock.stillHeld()).toEqual(true);
    await refusal(() => driver.lock(HOLDER, LOCK));
    await lock.release();
    await lock.release();
    expect(lock.stillHeld()).toEqual(false);
    const again = await driver.lock(HOLDER, LOCK);
    expect(again.stillHeld()).toEqual(true);
    await again.release();
  });

  promise("goes to one of many who come at once", async (driver) => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => driver.lock(HOLDER, LOCK)));
    const held = results.filter((result) => result.status === "fulfilled");
    expect(held.length).toEqual(1);
    for (const result of held) await result.value.release();
  });

  promise("is not waited for by one who has given up", async (driver) => {
    const reason = new Error("given up");
    expect(await refusal(() => driver.lock(HOLDER, { ...LOCK, signal: AbortSignal.abort(reason) }))).toEqual(reason);
  });
}
