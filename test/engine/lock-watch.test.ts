/** The watch over the lock: lost once is lost for good, told once, and a log without a lock can lose none. */
import { expect, it } from "vitest";
import type { StorageLock } from "../../src/api/storage-driver.ts";
import { Events } from "../../src/engine/events.ts";
import { LockWatch } from "../../src/engine/lock-watch.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

function watched(isHeld: () => boolean): { readonly watch: LockWatch; readonly told: object[]; readonly released: () => number } {
  const told: object[] = [];
  let releases = 0;
  const lock = {
    stillHeld: isHeld,
    release: async () => {
      releases += 1;
    },
  } as unknown as StorageLock;
  const watch = new LockWatch(lock, new Events(new ManualClock(), { onEvent: (event) => told.push(event) }));
  return { watch, told, released: () => releases };
}

it("a lock that is held is nobody's news", () => {
  const { watch, told } = watched(() => true);
  watch.check();
  expect(watch.lost).toBeNull();
  expect(told).toEqual([]);
});

it("a lock that was lost once stays lost, and is told of once, though its file comes back", () => {
  let isHeld = false;
  const { watch, told } = watched(() => isHeld);
  expect(watch.lost).toBeNull();
  watch.check();
  isHeld = true;
  watch.check();
  isHeld = false;
  watch.check();
  expect(watch.lost).toMatchObject({ name: "StorageError", code: "LOCK_LOST", retriable: false });
  expect(told).toMatchObject([{ type: "lock.lost", error: watch.lost }]);
});

it("what is released is the lock, and a log that is only read has none to lose or release", async () => {
  const { watch, released } = watched(() => true);
  await watch.release();
  expect(released()).toBe(1);
  const none = new LockWatch(null, new Events(new ManualClock(), {}));
  none.check();
  await none.release();
  expect(none.lost).toBeNull();
});
