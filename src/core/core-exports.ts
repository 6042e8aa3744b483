/** What the core's binary exports: assembly/index.ts, seen from here. */
import type { WasmMemory } from "./web-assembly.ts";

/** Every call answers an i32: zero or more is the answer, negative a status; further answers stand in the mailbox. */
export interface CoreExports {
  readonly memory: WasmMemory;
  initialize(): number;
  crc32c(at: number, byteLength: number, seed: number): number;
  scan(byteLength: number, verifyChecksums: number): number;
  validateHeader(at: number, givenByteLength: number, wholeByteLength: number): number;
  validateRecords(at: number, start: number, byteLength: number): number;
  openOffsetMap(at: number, byteLength: number, secretAt: number): number;
  offsetMapKeyCount(): number;
  mapBatch(at: number, byteLength: number, startOffset: number): number;
  filterBatch(
    at: number,
    byteLength: number,
    into: number,
    intoByteLength: number,
    latestOffset: number,
    now: number,
    newDeleteHorizon: number,
    flags: number,
  ): number;
  keyHash(at: number, byteLength: number, into: number): number;
}
