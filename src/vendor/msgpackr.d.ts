/** The little of msgpackr that is used; the code beside this file is made by `scripts/build-vendor.mjs`. */
export declare class Packr {
  constructor(options: { readonly useRecords: false; readonly encodeUndefinedAsNil: true });
  /** With `RESET_BUFFER_MODE` the answer is overwritten by the next call; without, it is never used again. */
  pack(value: unknown, mode?: number): Uint8Array<ArrayBuffer>;
  /** Byte strings in the answer are views of `source`. */
  unpack(source: Uint8Array): unknown;
}

export declare const RESET_BUFFER_MODE: number;
