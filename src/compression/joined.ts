/** Pieces one behind the other, in memory of their own. */
import type { Bytes } from "../api/bytes.ts";

export function joined(pieces: readonly Uint8Array[], roomBefore: number): Bytes {
  let end = roomBefore;
  for (const { length } of pieces) end += length;
  const whole = new Uint8Array(end);
  end = roomBefore;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}
