/** A channel over a message port: worker threads, and the windows of Electron and browsers. */
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";
import type { Channel, ChannelListener } from "./channel.ts";
import { parseLength } from "./frame.ts";
import type { MessagePortLike } from "./message-port.ts";

export type { MessagePortLike };

/** Browsers do not tell when the other end is gone: who leaves says so. */
const GOODBYE = "odradek:goodbye";

export class PortChannel implements Channel {
  readonly key = "";
  readonly isTrusted = false;
  readonly unsentByteLength = 0;
  readonly #port: MessagePortLike;
  #listener: ChannelListener | null = null;
  #held: Uint8Array<ArrayBuffer>[] | null = null;
  #isOver = false;

  constructor(port: MessagePortLike) {
    this.#port = port;
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
    const listen = (type: string, call: (event: object) => void): void => {
      if (this.#port.addEventListener !== undefined) this.#port.addEventListener(type, call);
      else this.#port.on?.(type, call);
    };
    listen("message", (event) => this.#take((event as { readonly data?: unknown }).data));
    listen("close", () => this.#end(null));
    this.#port.start?.();
  }

  send(parts: readonly Uint8Array[]): void {
    if (this.#isOver) return;
    let byteLength = 0;
    for (const part of parts) byteLength += part.byteLength;
    // In memory of its own, handed over whole: what was sent may have to be sent again.
    const message = new Uint8Array(byteLength);
    let at = 0;
    for (const part of parts) {
      message.set(part, at);
      at += part.byteLength;
    }
    // Electron's main process can transfer nothing but ports.
    if (this.#port.addEventListener === undefined) this.#port.postMessage(message);
    else this.#port.postMessage(message, [message.buffer] as never[]);
  }

  trust(): void {}

  pause(): void {
    this.#held ??= [];
  }

  resume(): void {
    const held = this.#held;
    this.#held = null;
    for (const frame of held ?? []) this.#take(frame);
  }

  keepAlive(alive: boolean): void {
    if (alive) this.#port.ref?.();
    else this.#port.unref?.();
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#port.postMessage(GOODBYE);
    this.#end(null);
  }

  #take(data: unknown): void {
    if (this.#isOver) return;
    if (data === GOODBYE) {
      this.#end(null);
      return;
    }
    if (this.#held !== null) {
      this.#held.push(data as Uint8Array<ArrayBuffer>);
      return;
    }
    try {
      this.#listener?.frame(parseLength(data));
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#port.close();
    this.#listener?.ended(error);
  }
}

/** What somebody gave for a port, or a `UsageError` in the name of their `call`. */
export function checkPort(port: unknown, call: string): MessagePortLike {
  if (typeof port === "object" && port !== null && typeof (port as MessagePortLike).postMessage === "function")
    return port as MessagePortLike;
  throw new UsageError("INVALID_ARGUMENT", `${call}: expected a MessagePort, found ${describeValue(port)}`);
}
