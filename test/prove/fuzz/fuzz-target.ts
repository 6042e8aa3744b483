/** A decoder that is given wrong bytes, and what it may answer. */
import { CoreFaultError, OdradekError } from "../../../src/base/errors.ts";
import { RecordFramingError } from "../../../src/base/record-decoder.ts";
import { CommandLineError, DataError } from "../../../src/cli/cli-error.ts";
import { CorruptBatchError } from "../../../src/core/corrupt-batch-error.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { CommanderError } from "../../../src/vendor/cli.js";
import type { Shape } from "./mutation.ts";

export interface FuzzTarget extends Shape {
  readonly name: string;
  /** How often, next to the others; 1 unless said. */
  readonly weight?: number;
  /** Bytes that it decodes. */
  readonly specimens: readonly Uint8Array[];
  /** Makes lengths and checksums right again for what stands there, in place or in other bytes. */
  readonly mend?: (bytes: Uint8Array<ArrayBuffer>, random: SeededRandom) => Uint8Array<ArrayBuffer>;
  /** Throws a typed error, or a `WrongAnswer`, or answers. */
  readonly decode: (bytes: Uint8Array<ArrayBuffer>, random: SeededRandom) => unknown;
}

/** What was answered cannot be: a slow twin, or the way back, says otherwise. */
export class WrongAnswer extends Error {
  override readonly name = "WrongAnswer";
}

export function mustBe(holds: boolean, what: () => string): void {
  if (!holds) throw new WrongAnswer(what());
}

/** Whether an error says, in our own words, that the bytes are wrong. A fault of the core, or of nobody in particular, does not. */
export function isTyped(error: unknown): boolean {
  if (error instanceof CoreFaultError) return false;
  if (error instanceof OdradekError) return error.code !== "UNKNOWN_SERVER_ERROR";
  return [CorruptBatchError, RecordFramingError, CommandLineError, DataError, CommanderError].some((kind) => error instanceof kind);
}
