/**
 * A log that another process may have: its calls go to whoever has it, over a channel or straight, and when the owner goes this process
 * stands for its place like every other one that is attached.
 *
 *   seeking ──reached──▶ linked ──lost──▶ seeking …        seeking ──won the lock──▶ owning, for good
 */
import type { AtHand, LogKeeper } from "../api/broker.ts";
import type { StorageDriver } from "../api/storage-driver.ts";
import type { Clock, Random, Timer } from "../base/clock.ts";
import { OdradekError, StorageError, UsageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import { BegunTransactions } from "./begun-transactions.ts";
import { CallLanes } from "./call-lanes.ts";
import { CALLS, type CallName, wordOf } from "./calls.ts";
import type { Channel } from "./channel.ts";
import type { AttachTimes, Door, Owned } from "./door.ts";
import { abortedWithOwner, OpenCall } from "./open-call.ts";
import { RemoteLink } from "./remote-link.ts";

export interface AttachedLogParts {
  readonly door: Door;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (type: string, fields: { readonly [field: string]: unknown }) => void;
  readonly absolute: (directory: string | URL) => string;
  readonly times: AttachTimes;
}

/** On their way at a time, so that neither side is filled. */
const CALLS_MAX = 8192;
const UNANSWERED_BYTE_LENGTH_MAX = 4 * 1024 * 1024;
const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 40;
/** To try the lock costs a process, on the processors that the next owner needs for its opening: it is tried less often than the door. */
const OWN_PAUSE_MS_MIN = 20;
const OWN_PAUSE_MS_MAX = 320;
const PAUSE_AFTER_FAILURE_MS = 1000;
/**
 * An owner answers a hello at once, or is busy and asked again. Somebody else may keep a dead one's socket open (Deno's children inherit it): then the
 * lock is free, and must not be waited for as long as for a busy owner.
 */
const HELLO_MS_MIN = 250;

export class AttachedLog {
  /** What producers, consumers, tables and the face speak to. */
  readonly keeper: LogKeeper;
  readonly #parts: AttachedLogParts;
  #owned: LogKeeper | null = null;
  #letGo: (() => Promise<void>) | null = null;
  #link: RemoteLink | null = null;
  /** Not sent yet, in order. */
  #waiting: OpenCall[] = [];
  readonly #lanes: CallLanes = new CallLanes();
  readonly #transactions: BegunTransactions = new BegunTransactions();
  /** Given back untouched by an owner that is about to close. */
  #handedBack: OpenCall[] = [];
  #metrics: Readonly<Record<string, number>> = {};
  #isAskingMetrics = false;
  readonly #counts: Record<string, number> = { "attached.calls": 0, "attached.owners": 0, "attached.askedAgain": 0 };
  #lostMs = 0;
  #seeking: Promise<void> | null = null;
  #trouble: unknown = null;
  #expiry: Timer | null = null;
  readonly #closed: AbortController = new AbortController();
  #closing: Promise<void> | null = null;

  private constructor(parts: AttachedLogParts) {
    this.#parts = parts;
    this.keeper = this.#makeKeeper();
  }

  /** Resolves when the log is reached, or is this process's own. */
  static async open(parts: AttachedLogParts, signal?: AbortSignal): Promise<AttachedLog> {
    const log = new AttachedLog(parts);
    // At once, whatever is under way: an owner that is stopped, or a port that nobody serves, would be waited for.
    const abort = (): void => void log.close().catch(() => {});
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await log.#seek(parts.clock.monotonic() + parts.times.openMs, signal);
      signal?.throwIfAborted();
      return log;
    } catch (error) {
      await log.close();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Whether this process has the log. */
  get isOwner(): boolean {
    return this.#owned !== null;
  }

  // ── Calls ──────────────────────────────────────────────────────────────────

  #makeKeeper(): LogKeeper {
    const attached = this;
    const keeper: Record<string, unknown> = {
      get atHand(): AtHand | undefined {
        return attached.#owned?.atHand;
      },
      metrics: () => this.#currentMetrics(),
      liftQuotas: () => this.#owned?.liftQuotas(),
      close: () => this.close(),
      backup: (target: StorageDriver, directory: string | URL) =>
        this.#owned?.backup(target, directory) ?? this.#call("backup", [this.#parts.absolute(directory)]),
    };
    for (const name of Object.keys(CALLS) as CallName[]) {
      if (name in keeper) continue;
      const takes = CALLS[name].takes.length;
      keeper[name] = (...values: unknown[]): unknown => {
        const owned = this.#owned;
        if (owned !== null) return (owned[name] as (...values: unknown[]) => unknown)(...values);
        return this.#call(name, values.slice(0, takes), values[takes] as AbortSignal | undefined);
      };
    }
    return keeper as unknown as LogKeeper;
  }

  #call(name: CallName, values: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    if (this.#closing !== null) return Promise.reject(closed(wordOf(name)));
    const call = new OpenCall(name, values, signal, this.#parts.clock.monotonic(), this.#onOver);
    this.#count("attached.calls", 1);
    if (call.isOver) return call.promise;
    if (this.#lanes.enter(call)) {
      this.#waiting.push(call);
      this.#pump();
    }
    return call.promise;
  }

  readonly #onOver = (call: OpenCall, aborted: boolean): void => {
    if (aborted) this.#link?.cancel(call);
    this.#transactions.over(call);
    const next = this.#lanes.leave(call);
    if (next === null) return;
    this.#waiting.push(next);
    this.#pump();
  };

  #count(name: string, by: number): void {
    this.#counts[name] = (this.#counts[name] as number) + by;
  }

  /** As of the owner's last answer; being asked, the next one is on its way. */
  #currentMetrics(): Readonly<Record<string, number>> {
    if (this.#owned !== null) return this.#owned.metrics();
    if (!this.#isAskingMetrics && this.#link !== null) {
      this.#isAskingMetrics = true;
      this.#call("metrics", [])
        .then(
          (metrics) => {
            this.#metrics = metrics as Readonly<Record<string, number>>;
          },
          () => {},
        )
        .finally(() => {
          this.#isAskingMetrics = false;
        });
    }
    return { ...this.#metrics, ...this.#counts };
  }

  /** Sends what may go. */
  #pump(): void {
    const link = this.#link;
    if (link === null) {
      this.#waitForOwner();
      return;
    }
    // Taken out one by one: a call that is refused may bring another one in.
    while (this.#handedBack.length === 0 && this.#waiting.length > 0 && hasRoom(link, (this.#waiting[0] as OpenCall).byteLength)) {
      const call = this.#waiting.shift() as OpenCall;
      if (!call.isOver && this.#transactions.mayGo(call)) link.send(call);
    }
  }

  // ── When the owner goes ────────────────────────────────────────────────────

  #lost(error: unknown, unanswered: readonly OpenCall[]): void {
    this.#link = null;
    const { clock, emit } = this.#parts;
    this.#trouble = error;
    this.#lostMs = clock.monotonic();
    emit("owner.lost", { error, unanswered: unanswered.length });
    this.#transactions.ownerWent();
    const untouched = this.#handedBack;
    this.#handedBack = [];
    const again: OpenCall[] = [];
    for (const call of unanswered) {
      call.wasLost = true;
      if (call.fate === "again") again.push(call);
      else call.reject(call.fate === "transaction" ? abortedWithOwner(error) : inDoubt(wordOf(call.name), error));
    }
    this.#count("attached.askedAgain", again.length);
    this.#waiting = [...[...again, ...untouched].sort((left, right) => left.id - right.id), ...this.#waiting];
    this.#waitForOwner();
  }

  /** Sees to it that somebody is looked for, and that nobody waits for ever. */
  #waitForOwner(): void {
    if (this.#owned !== null || this.#closing !== null) return;
    if (this.#seeking === null) this.#seek(Number.POSITIVE_INFINITY).catch(() => {});
    if (this.#expiry !== null || this.#waiting.length === 0) return;
    const { clock, times } = this.#parts;
    this.#expiry = clock.after(times.callMs / 10, () => {
      this.#expiry = null;
      const beforeMs = clock.monotonic() - times.callMs;
      if (this.#lostMs < beforeMs) this.#rejectWaiting(this.#parts.door.shut(this.#trouble), beforeMs);
      if (this.#link === null) this.#waitForOwner();
    });
  }

  #rejectWaiting(error: unknown, askedBeforeMs: number): void {
    // Those in line first, so that none of them goes in the place of another.
    for (const call of [...this.#lanes.inLine(), ...this.#waiting]) {
      if (call.askedMs < askedBeforeMs) call.reject(call.wasLost ? inDoubt(wordOf(call.name), error) : error);
    }
    this.#waiting = this.#waiting.filter(({ isOver }) => !isOver);
  }

  /** Looks for the owner, or becomes it. Rejects when that took too long. */
  #seek(untilMs: number, signal?: AbortSignal): Promise<void> {
    this.#seeking ??= this.#lookOut(untilMs, signal).finally(() => {
      this.#seeking = null;
    });
    return this.#seeking;
  }

  async #lookOut(untilMs: number, signal?: AbortSignal): Promise<void> {
    const { door, clock, random, times } = this.#parts;
    const isOpening = untilMs !== Number.POSITIVE_INFINITY;
    let mayOwnMs = clock.monotonic();
    let ownPauseMs = OWN_PAUSE_MS_MIN;
    let helloMs = door.isOnce === true ? times.helloMs : Math.min(HELLO_MS_MIN, times.helloMs);
    for (let pauseMs = PAUSE_MS_MIN; ; pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2)) {
      signal?.throwIfAborted();
      if (this.#closed.signal.aborted) throw closed("open");
      try {
        const channel = await door.reach(this.#closed.signal);
        if (channel !== null) return await this.#follow(channel, helloMs);
      } catch (error) {
        if (this.#closed.signal.aborted) throw error;
        this.#trouble = error;
        helloMs = Math.min(times.helloMs, helloMs * 2);
        if (isFinal(error)) {
          this.#rejectWaiting(error, Number.POSITIVE_INFINITY);
          throw error;
        }
      }
      try {
        const owned = clock.monotonic() < mayOwnMs ? null : await door.own(this.#closed.signal);
        if (owned !== null) return await this.#lead(owned);
        if (clock.monotonic() >= mayOwnMs) {
          mayOwnMs = clock.monotonic() + ownPauseMs * (0.5 + random.next());
          ownPauseMs = Math.min(OWN_PAUSE_MS_MAX, ownPauseMs * 2);
        }
      } catch (error) {
        if (this.#closed.signal.aborted) throw error;
        // Nobody has the log, and it cannot be opened: whoever waits is told, and from time to time it is tried again.
        if (isOpening) throw isDenied(this.#trouble) ? neither(error, this.#trouble) : error;
        this.#rejectWaiting(error, Number.POSITIVE_INFINITY);
        this.#trouble = error;
        pauseMs = PAUSE_AFTER_FAILURE_MS;
      }
      if (door.isOnce === true || clock.monotonic() > untilMs) {
        const error = door.shut(this.#trouble);
        this.#rejectWaiting(error, Number.POSITIVE_INFINITY);
        throw error;
      }
      const waitMs = pauseMs * (0.5 + random.next());
      await new Promise<void>((wake) => clock.after(waitMs, wake, isOpening || this.#waiting.length > 0));
    }
  }

  async #follow(channel: Channel, helloMs: number): Promise<void> {
    const { clock, times } = this.#parts;
    const { link, metrics } = await RemoteLink.greet(channel, {
      clock,
      pulse: times.pulse,
      helloMs,
      signal: this.#closed.signal,
      onRoom: () => this.#pump(),
      onHandedBack: (call) => this.#handedBack.push(call),
      onLost: (error, unanswered) => this.#lost(error, unanswered),
    });
    if (this.#closing !== null) {
      await link.close();
      throw closed("open");
    }
    // It went with the very answer to the hello.
    if (link.isOver) throw new StorageError("NETWORK_EXCEPTION", "the process that has the log hung up");
    this.#link = link;
    this.#metrics = metrics as Readonly<Record<string, number>>;
    this.#count("attached.owners", 1);
    this.#parts.emit("owner.reached", {});
    this.#pump();
  }

  async #lead({ keeper, letGo }: Owned): Promise<void> {
    this.#letGo = letGo;
    if (this.#closing !== null) {
      await letGo();
      await keeper.close();
      throw closed("open");
    }
    this.#count("attached.owners", 1);
    // All that waits, in the order in which it was asked; from then on nothing stands between caller and log.
    const all = [...this.#waiting, ...this.#lanes.inLine()];
    this.#waiting = [];
    this.#lanes.clear();
    this.#owned = keeper;
    for (const call of all) if (!call.isOver && this.#transactions.mayGo(call)) this.#make(keeper, call);
    this.#parts.emit("owner.became", {});
  }

  #make(keeper: LogKeeper, call: OpenCall): void {
    const { name, values, signal } = call;
    let made: unknown;
    try {
      made = (keeper[name] as (...values: unknown[]) => unknown)(...values, ...(CALLS[name].waits === true ? [signal] : []));
    } catch (error) {
      made = Promise.reject(error);
    }
    Promise.resolve(made).then(
      (value) => call.resolve(value),
      (error: unknown) => call.reject(error),
    );
  }

  // ── The end ────────────────────────────────────────────────────────────────

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed.abort();
    this.#expiry?.cancel();
    const link = this.#link;
    this.#link = null;
    this.#waiting.push(...(link?.takeBack() ?? []));
    this.#rejectWaiting(closed("close"), Number.POSITIVE_INFINITY);
    await link?.close();
    await this.#seeking?.catch(() => {});
    await this.#letGo?.();
    await this.#owned?.close();
  }
}

function hasRoom(link: RemoteLink, byteLength: number): boolean {
  if (link.openCount >= CALLS_MAX || link.unsentByteLength > UNANSWERED_BYTE_LENGTH_MAX) return false;
  return link.unansweredByteLength === 0 || link.unansweredByteLength + byteLength <= UNANSWERED_BYTE_LENGTH_MAX;
}

function closed(call: string): UsageError {
  return new UsageError("LOG_CLOSED", `${call}: the log was closed`);
}

function isDenied(error: unknown): error is OdradekError {
  return error instanceof OdradekError && error.code === "PERMISSION_DENIED";
}

/** The log cannot be opened here; that nobody was asked for it has a reason of its own. */
function neither(ownError: unknown, reachError: OdradekError): OdradekError {
  return new StorageError("PERMISSION_DENIED", `${reachError.message}. Nor can the log be opened here: ${reasonOf(ownError)}`, {
    cause: ownError,
  });
}

/** Nothing that another try could mend. */
function isFinal(error: unknown): boolean {
  return error instanceof OdradekError && (error.code === "UNSUPPORTED_VERSION" || error.code === "INVALID_REQUEST");
}

function inDoubt(call: string, cause: unknown): StorageError {
  return new StorageError(
    "NETWORK_EXCEPTION",
    `${call}: the process that had the log has gone without an answer: whether this was done is not known; look before you ask again`,
    { cause },
  );
}
