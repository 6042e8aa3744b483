/**
 * A message port between two tabs of an origin. Ports cannot be handed from tab to tab; a broadcast channel that two alone know serves as
 * one. A tab that dies says nothing: each end waits for a Web Lock that the other one holds while it lives.
 */
import type { WebLocks } from "../storage/opfs-web.ts";
import type { MessagePortLike } from "./port-channel.ts";

/** As much of a `BroadcastChannel` as is used. */
export interface TabChannel {
  postMessage(message: unknown): void;
  addEventListener(type: string, listener: (event: { readonly data?: unknown }) => void): void;
  close(): void;
  /** Node's alone. */
  unref?(): void;
}

export type MakeTabChannel = (name: string) => TabChannel;

/** Said on the connection's channel by the tab that has the log, once it listens there. */
export const WELCOME = "odradek:welcome";

export class TabPort implements MessagePortLike {
  readonly #channel: TabChannel;
  readonly #over: AbortController = new AbortController();
  readonly #onClose: ((event: { readonly data?: unknown }) => void)[] = [];
  #isOver = false;

  /** `watched`: the lock that the other end holds as long as it lives; our waiting for it must not keep it from others. */
  constructor(channel: TabChannel, locks: WebLocks, watched: string) {
    this.#channel = channel;
    channel.unref?.();
    locks.request(watched, { mode: "shared", signal: this.#over.signal }, async () => this.#end()).catch(() => {});
  }

  /** Aborted when this end was closed, or the other one has gone. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  addEventListener(type: string, listener: (event: { readonly data?: unknown }) => void): void {
    if (type === "close") this.#onClose.push(listener);
    else this.#channel.addEventListener(type, (event) => event.data !== WELCOME && listener(event));
    if (type === "close" && this.#isOver) listener({});
  }

  postMessage(message: unknown): void {
    if (!this.#isOver) this.#channel.postMessage(message);
  }

  close(): void {
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#channel.close();
    this.#over.abort();
    for (const listener of this.#onClose) listener({});
  }
}
