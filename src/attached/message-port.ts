/** What a log goes through from thread to thread, or from window to window. */

/** The little that the ports of browsers, of `node:worker_threads` and of Electron's main process have in common. */
export interface MessagePortLike {
  /** Sends a structured clone. */
  postMessage(message: unknown): void;
  /** The same, with what goes over instead of being copied. */
  // Apart from the other: what DOM's types offer is an optional object or a list that must be there, and no optional list.
  postMessage(message: unknown, transfer: never[]): void;
  /** Ends both ends. */
  close(): void;
  /** Where messages wait until it is called. */
  start?(): void;
  /** Keeps the process alive. */
  ref?(): void;
  /** Takes `ref` back. */
  unref?(): void;
  /** In browsers, and in Node. */
  addEventListener?(type: string, listener: (event: object) => void): void;
  /** In Node and in Electron's main process. */
  on?(type: string, listener: (event: object) => void): unknown;
}
