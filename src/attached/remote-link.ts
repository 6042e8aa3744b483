/** The way to an owner elsewhere, over one channel: calls go out in order, answers come as they are ready, and its end is told once. */
import type { HeartbeatRequest } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorFromFault, OdradekError, StorageError, UsageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import { wordOf } from "./calls.ts";
import type { Channel } from "./channel.ts";
import { badFrame, frameParts, KIND, PROTOCOL_VERSION, parseFrame } from "./frame.ts";
import type { OpenCall } from "./open-call.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import { packCall, unpackAnswer } from "./wire.ts";

export interface RemoteLinkParts {
  readonly clock: Clock;
  readonly pulse: PulseTimes;
  readonly helloMs: number;
  /** Ends the greeting, and that alone. */
  readonly signal?: AbortSignal | undefined;
  /** Something was answered or handed back: there is room for more. */
  readonly onRoom: () => void;
  /** The owner is about to close, and has not begun this call. */
  readonly onHandedBack: (call: OpenCall) => void;
  /** `unanswered`: in the order in which they were sent. */
  readonly onLost: (error: unknown, unanswered: readonly OpenCall[]) => void;
}

export class RemoteLink {
  readonly #channel: Channel;
  readonly #parts: RemoteLinkParts;
  readonly #pulse: Pulse;
  /** By id, in the order sent. */
  readonly #open: Map<number, OpenCall> = new Map();
  #lastId = 0;
  #unansweredByteLength = 0;
  #keepAliveCount = 0;
  #greeted: ((error: unknown, metrics?: unknown) => void) | null = null;
  #isOver = false;

  private constructor(channel: Channel, parts: RemoteLinkParts) {
    this.#channel = channel;
    this.#parts = parts;
    this.#pulse = new Pulse(
      parts.clock,
      parts.pulse,
      () => channel.send(frameParts(KIND.pulse, 0, undefined)),
      () => this.#end(new StorageError("NETWORK_EXCEPTION", "the process that has the log gives no sign of life")),
    );
    channel.trust();
    channel.start({
      frame: (bytes) => this.#take(bytes),
      drained: () => parts.onRoom(),
      ended: (error) => this.#end(error),
    });
  }

  /** Says hello; resolves when the owner has let us in, with what its metrics say. Rejects with its refusal, or when it does not answer. */
  static async greet(channel: Channel, parts: RemoteLinkParts): Promise<{ readonly link: RemoteLink; readonly metrics: unknown }> {
    const link = new RemoteLink(channel, parts);
    let timer: Timer | null = null;
    const abort = (): void => link.#greeted?.(parts.signal?.reason);
    parts.signal?.addEventListener("abort", abort, { once: true });
    try {
      const metrics = await new Promise<unknown>((resolve, reject) => {
        link.#greeted = (error, found) => (error === null ? resolve(found) : reject(error));
        if (parts.signal?.aborted === true) abort();
        timer = parts.clock.after(
          parts.helloMs,
          () => reject(new StorageError("NETWORK_EXCEPTION", `the process that has the log did not answer within ${parts.helloMs} ms`)),
          true,
        );
        channel.send(frameParts(KIND.hello, 0, { version: PROTOCOL_VERSION, key: channel.key }));
      });
      link.#greeted = null;
      channel.keepAlive(false);
      return { link, metrics };
    } catch (error) {
      link.#isOver = true;
      link.#pulse.stop();
      void channel.close();
      throw error;
    } finally {
      (timer as Timer | null)?.cancel();
      parts.signal?.removeEventListener("abort", abort);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get unansweredByteLength(): number {
    return this.#unansweredByteLength;
  }

  get unsentByteLength(): number {
    return this.#channel.unsentByteLength;
  }

  send(call: OpenCall): void {
    this.#lastId = (this.#lastId + 1) >>> 0;
    call.id = this.#lastId;
    let parts: Uint8Array[];
    try {
      const { body, tail } = packCall(call.name, call.values);
      parts = frameParts(KIND.call, call.id, body, tail);
    } catch (cause) {
      call.reject(
        cause instanceof OdradekError ? cause : new UsageError("INVALID_ARGUMENT", `${wordOf(call.name)}: ${reasonOf(cause)}`, { cause }),
      );
      return;
    }
    this.#open.set(call.id, call);
    this.#unansweredByteLength += call.byteLength;
    this.#hold(call, 1);
    this.#channel.send(parts);
  }

  /** Its caller does not wait any more. The answer, when it comes, is let go. */
  cancel(call: OpenCall): void {
    if (!this.#forget(call)) return;
    this.#channel.send(frameParts(KIND.cancel, call.id, undefined));
  }

  /** What was not answered, in the order in which it was sent: nobody here waits for it any more. */
  takeBack(): OpenCall[] {
    const unanswered = [...this.#open.values()];
    this.#open.clear();
    return unanswered;
  }

  /** `onLost` is not called. */
  close(): Promise<void> {
    this.#isOver = true;
    this.#pulse.stop();
    return this.#channel.close();
  }

  #take(bytes: Bytes): void {
    this.#pulse.heard();
    const { kind, id, body, tail } = parseFrame(bytes);
    if (kind === KIND.pulse) return;
    if (kind === KIND.refusal) {
      this.#end(errorFromFault(body as never));
      return;
    }
    if (kind === KIND.welcome) {
      this.#greeted?.(null, body);
      return;
    }
    const call = this.#open.get(id);
    // Not waited for any more.
    if (call === undefined) return;
    this.#forget(call);
    if (kind === KIND.answer) this.#answer(call, body, tail);
    else if (kind === KIND.fault) call.reject(errorFromFault(body as never));
    else if (kind === KIND.back) this.#parts.onHandedBack(call);
    else throw badFrame(`kind ${kind}`);
    this.#parts.onRoom();
  }

  #answer(call: OpenCall, body: unknown, tail: Bytes): void {
    let value: unknown;
    try {
      value = unpackAnswer(call.name, body, tail);
    } catch (error) {
      call.reject(error);
      return;
    }
    call.resolve(value);
  }

  #forget(call: OpenCall): boolean {
    if (this.#open.get(call.id) !== call) return false;
    this.#open.delete(call.id);
    this.#unansweredByteLength -= call.byteLength;
    this.#hold(call, -1);
    return true;
  }

  /** Whoever waits for an answer keeps the process alive; a member that merely listens does not. */
  #hold({ name, values }: OpenCall, by: 1 | -1): void {
    if (name === "heartbeat" && (values[0] as HeartbeatRequest).maxWaitMs > 0) return;
    this.#keepAliveCount += by;
    if (this.#keepAliveCount === (by === 1 ? 1 : 0)) this.#channel.keepAlive(by === 1);
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pulse.stop();
    void this.#channel.close();
    const why = error ?? new StorageError("NETWORK_EXCEPTION", "the process that has the log hung up");
    if (this.#greeted === null) this.#parts.onLost(why, this.takeBack());
    else this.#greeted(why);
  }
}
