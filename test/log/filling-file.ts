/** A file sized ahead whose writer goes on while it is read: whoever has seen that space begins finds batches there at the next look. */
import type { StorageFile } from "../../src/api/storage-driver.ts";

/** `batches` in a file of `byteLength`; those from `shownTo` on stand there once that place has been read. */
export function fillingFile(batches: Uint8Array, shownTo: number, byteLength: number): StorageFile {
  let end = shownTo;
  const refused = (): never => {
    throw new Error("this file is only read");
  };
  return {
    readAt: (into, position) => {
      const length = Math.max(0, Math.min(into.length, byteLength - position));
      into.fill(0, 0, length);
      into.set(batches.subarray(position, Math.min(end, position + length)));
      if (position + length > shownTo) end = batches.length;
      return length;
    },
    byteLength: () => byteLength,
    modifiedAt: () => 0,
    readAhead: async () => {},
    close: async () => {},
    sync: async () => refused(),
    writeAt: refused,
    truncate: refused,
  };
}
