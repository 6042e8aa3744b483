/** What is wrong with a file, in a sentence for a person and in numbers for a program. */

/** What part of the directory it concerns, and so who mends it. */
export type DefectKind =
  | "batch"
  | "payload"
  | "changed"
  | "older"
  | "index"
  | "txnindex"
  | "snapshot"
  | "seal"
  | "epochs"
  | "state"
  | "metadata"
  | "foreign"
  | "missing"
  | "book"
  | "offsets";

export interface Defect {
  readonly kind: DefectKind;
  readonly file: string;
  readonly byteRange: readonly [start: number, end: number] | null;
  /** First and last. */
  readonly offsetRange: readonly [first: number, last: number] | null;
  readonly problem: string;
  /** What to do about it. */
  readonly remedy: string;
}

export const REMEDY_REPAIR = "odradek repair --execute mends it";
export const REMEDY_BACKUP = "restore it from a backup";
