/** What readers of committed records wait for: how far a log is stable. */
import type { Watermarks } from "../../api/bytes.ts";
import type { OdradekError } from "../../base/errors.ts";

/** What the wait needs of its partition. */
export interface WatchedLog {
  readonly watermarks: Watermarks;
  readonly failure: OdradekError | null;
  onProgress(listener: () => void): () => void;
}

/** Resolves when the last stable offset has passed `offset`; rejects when the log fails or closes before that. */
export function stableBeyond(log: WatchedLog, offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const isStable = log.watermarks.lastStableOffset > offset;
      if (!isStable && log.failure === null) return;
      stop();
      if (isStable) resolve();
      else reject(log.failure);
    };
    const stop = log.onProgress(look);
    look();
  });
}

/** Behind an open transaction. At the end of the log there may be more to say than that it is the end: bytes that cannot be read. */
export function isHeldBack(offset: number, { lastStableOffset, highWatermark }: Watermarks): boolean {
  return offset >= lastStableOffset && lastStableOffset < highWatermark;
}
