/** The little of fzstd that is used; the code beside this file is made by `scripts/build-vendor.mjs`. */

/** A frame being read. */
export interface Frame {
  /** Where in the bytes the next block begins. */
  b: number;
  /** How many bytes are in the output, and where the next one goes. */
  y: number;
  /** How far back into the output, as seen from its beginning, a block may reach. */
  e: number;
  /** The output that blocks reach back into. */
  w: Uint8Array;
  /** 1 when the block read was the last. */
  l: number;
}

export interface Fzstd {
  /** `output` is where the frame's blocks will go; a number is how long a skippable frame is. Throws for what is no frame. */
  readFrameHeader(bytes: Uint8Array, output: Uint8Array): Frame | number;
  /** Reads one block into `output`, which has room for 128 KiB behind `frame.y`. Undefined: the bytes end within it. */
  readBlock(bytes: Uint8Array, frame: Frame, output: Uint8Array): Uint8Array | undefined;
}

/** The library, made anew by each call: nothing of it runs before. */
export declare function fzstd(): Fzstd;
