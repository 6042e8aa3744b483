/** The sessions of members outside this process: each ends when nothing is heard of its member for its timeout. */
import type { Clock } from "../base/clock.ts";
import type { GroupMember } from "./member.ts";

const ENDED = -1;

export class Sessions {
  readonly #clock: Clock;
  readonly #onExpired: (member: GroupMember, timeoutMs: number) => void;

  constructor(clock: Clock, onExpired: (member: GroupMember, timeoutMs: number) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  /** Begins the session anew; nothing for a member of this process, or one whose session was ended. */
  touch(member: GroupMember): void {
    if (member.sessionTimeoutMs === null || member.sessionEndsAtMs === ENDED) return;
    member.sessionEndsAtMs = this.#clock.monotonic() + member.sessionTimeoutMs;
    if (member.sessionTimer === null) this.#watch(member, member.sessionTimeoutMs);
  }

  /** For good. */
  end(member: GroupMember): void {
    member.sessionTimer?.cancel();
    member.sessionTimer = null;
    member.sessionEndsAtMs = ENDED;
  }

  // One timer per member, that looks at the deadline when it fires: a heartbeat moves a number and arms nothing.
  #watch(member: GroupMember, delayMs: number): void {
    member.sessionTimer = this.#clock.after(delayMs, () => {
      member.sessionTimer = null;
      if (member.sessionTimeoutMs === null || member.sessionEndsAtMs === ENDED) return;
      const heardOf = member.joining !== null || member.syncing !== null || member.beating !== null;
      if (heardOf) return this.touch(member);
      const leftMs = member.sessionEndsAtMs - this.#clock.monotonic();
      if (leftMs > 0) this.#watch(member, leftMs);
      else this.#onExpired(member, member.sessionTimeoutMs);
    });
  }
}
