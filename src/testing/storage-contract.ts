/** The storage contract as a suite of tests, for any driver and any test framework that has describe and it. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { fileContract } from "./contract-files.ts";
import type { Promises, TestFramework } from "./contract-kit.ts";
import { lockContract } from "./contract-locks.ts";
import { nameContract } from "./contract-names.ts";

/** A driver on empty storage; `dispose` clears up after the test. */
export interface ContractSubject {
  readonly driver: StorageDriver;
  /** Called after the test, passed or failed. */
  readonly dispose?: () => Promise<void>;
}

/** Registers the suite for the driver that `makeSubject` makes anew for every test. */
export function storageContract(name: string, makeSubject: () => Promise<ContractSubject>, { describe, it, expect }: TestFramework): void {
  const promise: Promises = (sentence, body) =>
    it(sentence, async () => {
      const subject = await makeSubject();
      try {
        await body(subject.driver);
      } finally {
        await subject.dispose?.();
      }
    });
  describe(`storage contract: ${name}: files`, () => fileContract(promise, expect));
  describe(`storage contract: ${name}: names`, () => nameContract(promise, expect));
  describe(`storage contract: ${name}: lock`, () => lockContract(promise, expect));
}
