/** Reading a file's bytes ahead of their need, so that the system has them: one throwaway read at a time in this process. */
import { Gate } from "./gate.ts";

/** A throwaway read takes this much at once, so that a close need not wait long for it. */
const READ_AHEAD_CHUNK_BYTES = 256 * 1024;
/** More than this is not read ahead in one call: it would push out of the cache what is needed sooner. */
const READ_AHEAD_BYTES_MAX = 8 * 1024 * 1024;
/** They wait on the same four threads as flushes. */
const readAheadGate = new Gate(1);
/** Nobody looks at what is read here. */
let throwaway: Uint8Array | null = null;

/** `readInto` answers how many bytes there were. Never rejects. */
export async function readAheadBy(
  readInto: (into: Uint8Array, byteLength: number, position: number) => Promise<number>,
  isClosed: () => boolean,
  position: number,
  byteLength: number,
): Promise<void> {
  const end = position + Math.min(byteLength, READ_AHEAD_BYTES_MAX);
  await readAheadGate.enter();
  try {
    throwaway ??= new Uint8Array(READ_AHEAD_CHUNK_BYTES);
    for (let at = position; at < end && !isClosed(); ) {
      const count = await readInto(throwaway, Math.min(READ_AHEAD_CHUNK_BYTES, end - at), at);
      if (count === 0) break;
      at += count;
    }
  } catch {
    // Advice only: the read that was to come meets the same error, and tells it.
    return;
  } finally {
    readAheadGate.leave();
  }
}
