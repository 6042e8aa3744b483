/** The little of msgpackr that is used; the code beside this file is made by `scripts/build-vendor.mjs`. */
export interface Packr {
  /** With `RESET_BUFFER_MODE` the answer is overwritten by the next call; without, it is never used again. */
  pack(value: unknown, mode?: number): Uint8Array<ArrayBuffer>;
  /** Whether byte strings in what `unpack` answers have memory of their own, or are views of `source`. */
  copyBuffers: boolean;
  /** All of `source`, or what lies from `start` up to `end`, which is above 0. */
  unpack(source: Uint8Array, range?: { readonly start: number; readonly end: number }): unknown;
}

/** The library, made anew by each call: nothing of it runs before. */
export declare function msgpackr(): {
  readonly Packr: new (options: { readonly useRecords: false; readonly encodeUndefinedAsNil: true }) => Packr;
  readonly RESET_BUFFER_MODE: number;
};
