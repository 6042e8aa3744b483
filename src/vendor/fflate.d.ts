/** The little of fflate that is used; the code beside this file is made by `scripts/build-vendor.mjs`. */
export declare function deflateSync(bytes: Uint8Array, options: { readonly level: 6 }): Uint8Array<ArrayBuffer>;

/** A raw deflate stream being read. What a push gives is the callback's own. */
export declare class Inflate {
  constructor(onData: (bytes: Uint8Array<ArrayBuffer>) => void);
  push(bytes: Uint8Array, isLast: boolean): void;
  /** `f` is 1 within the last block, `l` null between blocks: together, the end. `p`: the bit in the bytes below where it stands. */
  readonly s: { readonly f?: number; readonly l?: unknown; readonly p?: number };
  /** What was pushed and is not used up. */
  readonly p: Uint8Array<ArrayBuffer>;
}
