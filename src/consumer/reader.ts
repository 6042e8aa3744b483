/** The one way from fetched batches to the caller, for iterations and polls alike: what comes next, and the wait for it. */
import { OdradekError, OffsetError, UsageError } from "../base/errors.ts";
import type { RecordCursor } from "../base/record-decoder.ts";
import type { Turn } from "../base/turn.ts";
import type { Assignment } from "./assignment.ts";
import type { BatchSlice } from "./batch-slice.ts";
import { advance, openCursor } from "./batch-view.ts";
import { FetchedRun } from "./fetched-run.ts";
import type { Fetcher } from "./fetcher.ts";
import type { Hand } from "./hand.ts";
import type { Positions } from "./positions.ts";
import type { Session } from "./session.ts";
import type { Wakeup } from "./wakeup.ts";

/** What a reader must know of the group it reads for. */
export interface GroupGate {
  /** What ended the membership, to be thrown at whoever asks for records; null while it lives. */
  readonly failure: unknown;
  /** A rebalance is due or under way: nothing may be delivered. */
  readonly isBlocking: boolean;
  /** Resolves to whether no rebalance is pending, having asked the coordinator. */
  isSettled(): Promise<boolean>;
  /** A topic that is read has gone. Resolves after a while, in which the group takes note. */
  topicIsMissing(): Promise<void>;
}

/** How a consumer ends: set by it, obeyed here. */
export interface Ending {
  readonly isClosed: boolean;
  /** The consumer's signal said so: what is in hand was finished by the time this is looked at. */
  readonly isStopping: boolean;
  close(): Promise<void>;
  /** An iteration or poll is over. */
  left(): void;
}

interface Failed {
  readonly run: FetchedRun;
  readonly epoch: number;
}

/** How soon it is asked again for offsets that an open transaction may still change. */
const UNSTABLE_RETRY_MS = 50;

export class Reader {
  readonly turn: Turn;
  /** Set by whatever the fast path does not look at: a rebalance, a stop, a signal, the end. Cleared by looking at all of them. */
  interrupted = false;
  group: GroupGate | null = null;
  readonly #assignment: Assignment;
  readonly #fetcher: Fetcher;
  readonly #positions: Positions;
  readonly #wakeup: Wakeup;
  readonly #hand: Hand;
  readonly #ending: Ending;
  #session: Session | null = null;
  #slice: BatchSlice | null = null;
  #cursor: RecordCursor | null = null;
  /** Whether the cursor stands on a record that has not been delivered. */
  #hasRecord = false;
  /** What a fetch answered in place of data, when its turn came. */
  #failed: Failed | null = null;
  readonly #onAbort = (): void => this.interrupt();

  constructor(parts: {
    readonly assignment: Assignment;
    readonly fetcher: Fetcher;
    readonly positions: Positions;
    readonly wakeup: Wakeup;
    readonly hand: Hand;
    readonly ending: Ending;
    readonly turn: Turn;
  }) {
    this.#assignment = parts.assignment;
    this.#fetcher = parts.fetcher;
    this.#positions = parts.positions;
    this.#wakeup = parts.wakeup;
    this.#hand = parts.hand;
    this.#ending = parts.ending;
    this.turn = parts.turn;
  }

  /** Something that a waiting or coming call must look at has changed. */
  interrupt(): void {
    this.interrupted = true;
    this.#wakeup.wake();
  }

  get isBusy(): boolean {
    return this.#session !== null;
  }

  /** One at a time: throws a `UsageError` CONCURRENT_CALL for a second. */
  enter(session: Session): void {
    if (this.#session !== null) {
      throw new UsageError(
        "CONCURRENT_CALL",
        `${session.call}: expected one iteration or poll at a time, found ${this.#session.call} still going on; an iterator used by hand ends with its return()`,
      );
    }
    this.#session = session;
    session.signal?.addEventListener("abort", this.#onAbort);
  }

  leave(session: Session): void {
    this.#session = null;
    session.signal?.removeEventListener("abort", this.#onAbort);
    // Nothing is read while nobody asks.
    this.#fetcher.interrupt();
    this.#ending.left();
  }

  /** Ends a session from outside: a call of its own that waits then finds nothing more. */
  end(session: Session): void {
    session.ended = true;
    this.interrupt();
  }

  /** Waits until there is something to deliver; false when the session is over. What is in hand must have been moved past. */
  async advance(session: Session): Promise<boolean> {
    for (;;) {
      if (session.ended || this.#ending.isClosed) return false;
      session.signal?.throwIfAborted();
      if (this.#ending.isStopping) {
        await this.#ending.close();
        return false;
      }
      this.interrupted = false;
      if (this.turn.isSpent()) {
        await this.turn.next();
        continue;
      }
      if (this.group !== null && this.group.failure !== null) throw this.group.failure;
      if (this.group?.isBlocking === true) {
        if (session.isTry) return false;
        await this.#wait();
      } else if (!this.#assignment.hasPositions) {
        const isStable = await this.#positions.resolve(this.#assignment.states).then(
          () => true,
          (error: unknown) => this.#isStableBehind(error),
        );
        if (isStable) continue;
        if (session.isTry) return false;
        if (!this.interrupted) await this.#wakeup.waitAtMost(UNSTABLE_RETRY_MS);
      } else if (!session.knowsEnds(this.#assignment)) {
        await session.learnEnds(this.#assignment, this.#positions).catch((error) => this.#outlive(error));
      } else {
        if (this.#next(session)) return true;
        if (this.#failed !== null) await this.#resetOrThrow(this.#failed);
        else if (session.hasEnds && session.isFinished(this.#assignment)) {
          if (this.group === null || (await this.group.isSettled())) return false;
          await this.#wait();
        } else if (session.isTry && session.hasTried && !this.#fetcher.isFetching && !this.#fetcher.isGettingOn(session.finished))
          return false;
        else {
          const fetches = this.#fetcher.begin(session.finished, !session.isTry);
          session.hasTried = true;
          if (!fetches && session.isTry) return false;
          await this.#wait();
        }
      }
    }
  }

  /** Whether something more can be delivered without waiting. What went wrong is met by the next `advance`. */
  isReady(session: Session): boolean {
    if (this.interrupted) return false;
    try {
      return this.#next(session);
    } catch {
      return false;
    }
  }

  /** The cursor on the record to deliver; null when this batch has no more. Changes nothing until `deliver` or `skip`. */
  peek(): RecordCursor | null {
    const slice = this.#slice;
    if (slice === null || slice.epoch !== slice.state.epoch) return null;
    if (this.#hasRecord) return this.#cursor;
    const from = slice.state.position as number;
    try {
      this.#cursor ??= openCursor(slice);
      while (advance(this.#cursor, slice)) {
        if (this.#cursor.offset < from) continue;
        this.#hasRecord = true;
        return this.#cursor;
      }
    } catch (error) {
      slice.state.drop();
      throw error;
    }
    this.#endSlice();
    return null;
  }

  /** The partition of what `peek` shows. */
  get slice(): BatchSlice | null {
    return this.#slice;
  }

  /** What `peek` showed is now in the caller's hand. */
  deliver(): void {
    const { state } = this.#slice as BatchSlice;
    const { offset } = this.#cursor as RecordCursor;
    this.#hand.take(state, offset, offset + 1);
    this.#hasRecord = false;
  }

  /** What `peek` showed is moved past without having been delivered. */
  skip(): void {
    (this.#slice as BatchSlice).state.position = (this.#cursor as RecordCursor).offset + 1;
    this.#hasRecord = false;
  }

  /** What `peek` showed stays where it is: it is fetched and met again. */
  refuse(): void {
    this.#slice?.state.drop();
  }

  /** The rest of the batch, put into the caller's hand as a whole. Null: it has none. */
  deliverSlice(): { readonly slice: BatchSlice; readonly fromOffset: number } | null {
    const slice = this.#slice;
    if (this.peek() === null || slice === null) return null;
    const fromOffset = (this.#cursor as RecordCursor).offset;
    this.#hand.take(slice.state, fromOffset, slice.lastOffset + 1);
    this.#slice = null;
    this.#cursor = null;
    this.#hasRecord = false;
    return { slice, fromOffset };
  }

  /** Whether a batch that may be delivered is at hand; takes the next one fetched where the last one is used up. */
  #next(session: Session): boolean {
    for (;;) {
      const slice = this.#slice;
      if (slice !== null && slice.epoch === slice.state.epoch && this.peek() !== null) {
        if (!session.finished(slice.state, slice.state.position as number)) return true;
        // The rest is for another iteration, which fetches it again.
        slice.state.drop();
      }
      const found = this.#fetcher.take(session.finished);
      this.#cursor = null;
      this.#hasRecord = false;
      this.#slice = null;
      if (found === null) return false;
      if (found instanceof FetchedRun) {
        this.#failed = { run: found, epoch: found.state.epoch };
        return false;
      }
      this.#slice = found;
    }
  }

  /** Until something changes; not at all when it has since everything was last looked at. */
  #wait(): Promise<void> {
    return this.interrupted ? Promise.resolve() : this.#wakeup.wait();
  }

  async #resetOrThrow({ run, epoch }: Failed): Promise<void> {
    this.#failed = null;
    const { state, error } = run;
    // A seek since then has mended it.
    if (epoch !== state.epoch || state.revoked) return;
    if (error instanceof OffsetError && error.code === "OFFSET_OUT_OF_RANGE") await this.#positions.reset(state, error);
    else await this.#outlive(error);
  }

  /** A transaction that is about to commit offsets of ours: where to begin is known when it has ended. Every other error is met elsewhere. */
  async #isStableBehind(error: unknown): Promise<boolean> {
    if (error instanceof OdradekError && error.code === "UNSTABLE_OFFSET_COMMIT") return false;
    await this.#outlive(error);
    return true;
  }

  /** A topic may be deleted under a group: its partitions go with the next rebalance. Every other error is the caller's to see. */
  async #outlive(error: unknown): Promise<void> {
    const isMissing = error instanceof OdradekError && error.code === "UNKNOWN_TOPIC_OR_PARTITION";
    if (this.group === null || !isMissing) throw error;
    await this.group.topicIsMissing();
  }

  #endSlice(): void {
    const slice = this.#slice as BatchSlice;
    // Behind the last record there may be offsets that compaction emptied.
    if ((slice.state.position as number) <= slice.lastOffset) slice.state.position = slice.lastOffset + 1;
    this.#slice = null;
    this.#cursor = null;
  }
}
