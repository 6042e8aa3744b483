/** One attached process, as its owner sees it: its calls are made on the log, and what it leaves behind is put in order. */
import type { LogKeeper, TransactionIdentity } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { StorageDriver } from "../api/storage-driver.ts";
import type { Clock } from "../base/clock.ts";
import { faultFromError, UsageError } from "../base/errors.ts";
import { type CallName, ruleOf } from "./calls.ts";
import type { Channel } from "./channel.ts";
import { badFrame, type Frame, frameParts, KIND, type Kind, PROTOCOL_VERSION, parseFrame } from "./frame.ts";
import { Pulse, type PulseTimes } from "./pulse.ts";
import { checkRequest } from "./request-fields.ts";
import { packAnswer, unpackCall } from "./wire.ts";

/** No calls are taken while so many wait for their answers: an honest client has fewer. */
const OPEN_CALLS_MAX = 16_384;
/** Nor while so much stands unsent: whoever asks and does not read must not fill this process. */
const UNSENT_BYTE_LENGTH_MAX = 8 * 1024 * 1024;

export interface SessionParts {
  readonly keeper: LogKeeper;
  readonly clock: Clock;
  readonly pulse: PulseTimes;
  readonly storageAt: (directory: string) => StorageDriver;
  readonly onEnd: (session: Session) => void;
}

const HANDED_BACK = Symbol("handed back");

export class Session {
  readonly #channel: Channel;
  readonly #parts: SessionParts;
  readonly #pulse: Pulse;
  readonly #open: Map<number, AbortController | null> = new Map();
  /** What it has joined: its members go with it, since nobody else speaks for them. */
  readonly #members: Map<string, { readonly groupId: string; readonly memberId: string }> = new Map();
  /** Transactions it has begun: nobody else could end them. */
  readonly #transactions: Map<string, TransactionIdentity> = new Map();
  #isKnown = false;
  #isRefused = false;
  #isClosing = false;
  #isPaused = false;
  #whenQuiet: (() => void) | null = null;
  #ended: Promise<void> | null = null;

  constructor(channel: Channel, parts: SessionParts) {
    this.#channel = channel;
    this.#parts = parts;
    channel.keepAlive(false);
    this.#pulse = new Pulse(
      parts.clock,
      parts.pulse,
      () => channel.send(frameParts(KIND.pulse, 0, undefined)),
      () => void channel.close(),
    );
    channel.start({
      frame: (bytes) => this.#take(bytes),
      drained: () => this.#breathe(),
      ended: () => {
        this.#ended ??= this.#end();
      },
    });
  }

  /** Finishes what was begun, hands back what only waits, and lets go. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const controller of this.#open.values()) controller?.abort(HANDED_BACK);
    await this.#quiet();
    await this.#channel.close();
  }

  #take(bytes: Bytes): void {
    this.#pulse.heard();
    if (this.#isRefused) return;
    try {
      const frame = parseFrame(bytes);
      if (!this.#isKnown) this.#hello(frame);
      else if (frame.kind === KIND.call) this.#call(frame);
      else if (frame.kind === KIND.cancel) this.#open.get(frame.id)?.abort();
      else if (frame.kind !== KIND.pulse) throw badFrame(`kind ${frame.kind}`);
    } catch (error) {
      this.#isRefused = true;
      this.#channel.send(faultParts(KIND.refusal, 0, error));
      void this.#channel.close();
    }
  }

  #hello({ kind, body }: Frame): void {
    if (kind !== KIND.hello || typeof body !== "object" || body === null) throw badFrame("expected a hello first");
    const { version, key } = body as { readonly version?: unknown; readonly key?: unknown };
    if (version !== PROTOCOL_VERSION) {
      throw new UsageError(
        "UNSUPPORTED_VERSION",
        `the process that has the log speaks version ${PROTOCOL_VERSION} of the protocol of attached processes, found version ${String(version)}: run the same version of odradek in both`,
      );
    }
    if (key !== this.#channel.key) throw new UsageError("INVALID_REQUEST", "the key does not fit: it is another log, or another user's");
    this.#isKnown = true;
    this.#channel.trust();
    this.#channel.send(frameParts(KIND.welcome, 0, this.#parts.keeper.metrics()));
  }

  #call({ id, body, tail }: Frame): void {
    if (this.#isClosing) {
      this.#channel.send(frameParts(KIND.back, id, undefined));
      return;
    }
    if (this.#open.has(id)) throw badFrame(`call ${id} is under way`);
    const { name, values } = unpackCall(body, tail);
    const rule = ruleOf(name);
    const controller = rule?.waits === true ? new AbortController() : null;
    this.#open.set(id, controller);
    let made: unknown;
    try {
      if (rule === undefined) throw new UsageError("UNSUPPORTED_VERSION", `the process that has the log knows no call ${name}`);
      checkRequest(name, rule.takes, values);
      made = this.#make(name as CallName, values, controller?.signal);
    } catch (error) {
      made = Promise.reject(error);
    }
    Promise.resolve(made).then(
      (value) => this.#answer(id, name, values, value),
      (error: unknown) => {
        const wasHandedBack = controller?.signal.reason === HANDED_BACK && error === HANDED_BACK;
        this.#settle(id, wasHandedBack ? frameParts(KIND.back, id, undefined) : faultParts(KIND.fault, id, error));
      },
    );
    this.#breathe();
  }

  /** In the turn in which it came: calls of one process keep their order. */
  #make(name: CallName, values: readonly unknown[], signal: AbortSignal | undefined): unknown {
    const { keeper, storageAt } = this.#parts;
    if (name === "backup") {
      if (!this.#channel.isTrusted) throw new UsageError("INVALID_REQUEST", "backup: only the side that has the log may say where to");
      return keeper.backup(storageAt(values[0] as string), values[0] as string);
    }
    if (name === "addPartitions" || name === "addOffsets") {
      const identity = values[0] as TransactionIdentity;
      this.#transactions.set(identity.transactionalId, identity);
    }
    return (keeper[name] as (...values: unknown[]) => unknown)(...values, ...(signal === undefined ? [] : [signal]));
  }

  #answer(id: number, name: string, values: readonly unknown[], value: unknown): void {
    this.#note(name, values[0], value);
    let parts: Uint8Array[];
    try {
      const { body, tail } = packAnswer(name, value);
      parts = frameParts(KIND.answer, id, body, tail);
    } catch (error) {
      parts = faultParts(KIND.fault, id, error);
    }
    this.#settle(id, parts);
  }

  #note(name: string, request: unknown, value: unknown): void {
    if (name === "joinGroup") {
      const { groupId } = request as { readonly groupId: string };
      const { memberId } = value as { readonly memberId: string };
      this.#members.set(`${groupId}/${memberId}`, { groupId, memberId });
    } else if (name === "leaveGroup") {
      const { groupId, members } = request as { readonly groupId: string; readonly members: readonly { readonly memberId: string }[] };
      for (const { memberId } of members) this.#members.delete(`${groupId}/${memberId}`);
    } else if (name === "endTransaction") this.#transactions.delete((request as TransactionIdentity).transactionalId);
  }

  #settle(id: number, parts: Uint8Array[]): void {
    this.#open.delete(id);
    this.#channel.send(parts);
    this.#breathe();
    if (this.#open.size === 0) this.#whenQuiet?.();
  }

  #breathe(): void {
    const isFull = this.#open.size >= OPEN_CALLS_MAX || this.#channel.unsentByteLength > UNSENT_BYTE_LENGTH_MAX;
    if (isFull === this.#isPaused) return;
    this.#isPaused = isFull;
    if (isFull) this.#channel.pause();
    else this.#channel.resume();
  }

  #quiet(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenQuiet = resolve;
    });
  }

  async #end(): Promise<void> {
    this.#pulse.stop();
    for (const controller of this.#open.values()) controller?.abort(HANDED_BACK);
    this.#parts.onEnd(this);
    await this.#quiet();
    // The log may be closing as well: then all of this is done by that.
    const { keeper } = this.#parts;
    const left = [...this.#members.values()].map(({ groupId, memberId }) =>
      keeper.leaveGroup({ groupId, members: [{ memberId, groupInstanceId: null }] }),
    );
    const aborted = [...this.#transactions.values()].map((identity) => keeper.endTransaction({ ...identity, commit: false }));
    await Promise.allSettled([...left, ...aborted]);
  }
}

/** What a fault tells besides may be anything: without it, if it cannot go on the wire. */
function faultParts(kind: Kind, id: number, error: unknown): Uint8Array[] {
  const fault = faultFromError(error);
  try {
    return frameParts(kind, id, fault);
  } catch {
    return frameParts(kind, id, { ...fault, details: {} });
  }
}
