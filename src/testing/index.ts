/** For those who test a storage driver, or a program on a disk that fails: simulated disks, faults, time and chance. */
export type { TestFramework } from "./contract-kit.ts";
export type { CrashPolicy } from "./crash-choosers.ts";
export { CrashStorage, type CrashStorageOptions, crashStorage, type SyncFailure } from "./crash-storage.ts";
export {
  type Fault,
  FaultyStorage,
  type FaultyStorageOptions,
  faultyStorage,
  type PlannedFault,
  STORAGE_CALLS,
  type StorageCall,
} from "./faulty-storage.ts";
export { ManualClock, settled } from "./manual-clock.ts";
export { SeededRandom } from "./seeded-random.ts";
export { type ContractSubject, storageContract } from "./storage-contract.ts";
