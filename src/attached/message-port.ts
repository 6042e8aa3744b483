/** What a log goes through from thread to thread, or from window to window. */

/** The little that the ports of browsers, of `node:worker_threads` and of Electron's main process have in common. */
export interface MessagePortLike {
  postMessage(message: unknown): void;
  // Apart from the other: what DOM's types offer is an optional object or a list that must be there, and no optional list.
  postMessage(message: unknown, transfer: never[]): void;
  close(): void;
  start?(): void;
  ref?(): void;
  unref?(): void;
  addEventListener?(type: string, listener: (event: object) => void): void;
  on?(type: string, listener: (event: object) => void): unknown;
}
