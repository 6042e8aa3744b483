/** Damage met while reading, before it becomes the `CorruptionError` that also names the next readable offset. Stays in this folder. */

export class Damage extends Error {
  readonly position: number;
  /** Where the damaged batch ends, as far as its header can be believed; else the end of what may be read. */
  readonly end: number;
  readonly older: boolean;

  constructor(position: number, end: number, reason: string, older = false) {
    super(reason);
    this.position = position;
    this.end = end;
    this.older = older;
  }
}
