/** What two processes, two threads or two windows speak through: frames both ways, in order, until one side is gone. */

export interface Channel {
  /** What the other side must prove to know in its hello; empty where whoever holds an end was given it. */
  readonly key: string;
  /** Whether what is asked here may name paths of the machine: the other side is a process of the same user, and not a window. */
  readonly isTrusted: boolean;
  /** Sends one frame made of these parts, which stay as they are until it is gone. Never throws; after the end it does nothing. */
  send(parts: readonly Uint8Array[]): void;
  /** Bytes sent and not yet taken by the system. */
  readonly unsentByteLength: number;
  /** Calls the listeners from here on. Once only. */
  start(listener: ChannelListener): void;
  /** The other side has shown who it is: from now on its frames may be large. */
  trust(): void;
  /** No frames come until `resume`. */
  pause(): void;
  resume(): void;
  /** Whether it keeps the process alive. */
  keepAlive(alive: boolean): void;
  /** What was sent still goes, if the other side takes it soon. Resolves when it is over. */
  close(): Promise<void>;
}

export interface ChannelListener {
  /** A frame as it was sent; its memory is the listener's. A throw ends the channel. */
  frame(bytes: Uint8Array<ArrayBuffer>): void;
  /** What was sent is gone. */
  drained(): void;
  /** Called once: nothing comes any more. */
  ended(error: unknown): void;
}
