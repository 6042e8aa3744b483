/** Keeps a log that is only read as another process writes it: looks whether that has got on, takes in what it appended, or opens the log anew. */
import type { LogContext } from "../context/log-context.ts";
import { giveBack } from "../opening/give-back.ts";
import type { LogPosition, OpenedLog } from "../opening/opened-log.ts";
import { isReplaced, openSteadily } from "../opening/steady-opening.ts";
import { changeSince, followTail } from "./log-following.ts";

/** What following needs of its partition. */
export interface FollowedLog {
  readonly context: LogContext;
  /** As it is shown now. Throws when the partition is closed. */
  opened(): OpenedLog;
  /** Readers may read up to there. */
  showUpTo(end: LogPosition): void;
  /** From now on the partition shows this one. The old one's handles are given back behind it. */
  replaceBy(next: OpenedLog): void;
}

export class LogFollower {
  readonly #followed: FollowedLog;
  /** By base offset, as of the last look of `changeSeen`. */
  readonly #seenByteLengths: Map<number, number> = new Map();
  /** Two that opened the log at the same time would each put theirs in the place of the other's. */
  #turn: Promise<void> = Promise.resolve();

  constructor(followed: FollowedLog) {
    this.#followed = followed;
  }

  /** See `changeSince`. With `looksAtFiles` each segment is looked at. */
  changeSeen(looksAtFiles: boolean): Promise<"end" | "files" | null> {
    return changeSince(this.#followed.opened(), this.#seenByteLengths, looksAtFiles);
  }

  /** Whether the writer has removed or replaced a segment since the log was opened: then what a reader met there says nothing about the log. */
  isOvertaken(): Promise<boolean> {
    const { context, segments } = this.#followed.opened();
    return isReplaced(context.storage, segments);
  }

  /** What is there now takes the place of what was. Readers go on. `anew`: whatever has happened. Rejects, and changes nothing, when the log cannot be opened. */
  follow(anew: boolean): Promise<void> {
    const followed = this.#turn.then(() => this.#follow(anew));
    this.#turn = followed.catch(() => {});
    return followed;
  }

  async #follow(anew: boolean): Promise<void> {
    const before = this.#followed.opened();
    if (!anew && (await followTail(before, (end) => this.#followed.showUpTo(end)))) return;
    // Told of when it was opened first; what is half written now is whole at the next look.
    const next = await openSteadily(this.#followed.context, { ...before.spec, cleanShutdown: false }, false);
    try {
      // It may be closed by now.
      this.#followed.opened();
    } catch (error) {
      await giveBack(next.segments.all(), next.state);
      throw error;
    }
    this.#followed.replaceBy(next);
    // Of files that were replaced: what is known of all of them is of the old ones.
    if (anew) this.#seenByteLengths.clear();
    before.segments.releaseActive();
    await Promise.allSettled([...before.segments.all().map((segment) => segment.close()), before.state.close()]);
  }
}
