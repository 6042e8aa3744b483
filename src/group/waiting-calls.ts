/** The calls members have waiting: at most one join, one sync and one heartbeat each; a newer one ends the older. */
import type { JoinGroupResponse } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { superseded } from "./group-errors.ts";
import type { GroupMember } from "./member.ts";
import type { Sessions } from "./sessions.ts";
import { Waiter } from "./waiter.ts";

export class WaitingCalls {
  readonly #groupId: string;
  readonly #clock: Clock;
  readonly #sessions: Sessions;

  constructor(groupId: string, clock: Clock, sessions: Sessions) {
    this.#groupId = groupId;
    this.#clock = clock;
    this.#sessions = sessions;
  }

  join(member: GroupMember, signal: AbortSignal | undefined, onAbort: () => void): Promise<JoinGroupResponse> {
    member.joining?.reject(superseded(this.#groupId, member, "join"));
    const waiter = new Waiter<JoinGroupResponse>(signal, (aborted) => {
      member.joining = null;
      this.#sessions.touch(member);
      if (aborted) onAbort();
    });
    member.joining = waiter;
    return waiter.promise;
  }

  sync(member: GroupMember, signal: AbortSignal | undefined): Promise<{ readonly assignment: Bytes }> {
    member.syncing?.reject(superseded(this.#groupId, member, "sync"));
    const waiter = new Waiter<{ readonly assignment: Bytes }>(signal, () => {
      member.syncing = null;
      this.#sessions.touch(member);
    });
    member.syncing = waiter;
    return waiter.promise;
  }

  heartbeat(member: GroupMember, maxWaitMs: number, signal: AbortSignal | undefined): Promise<{ readonly rebalanceInProgress: boolean }> {
    member.beating?.resolve({ rebalanceInProgress: false });
    const waiter = new Waiter<{ readonly rebalanceInProgress: boolean }>(signal, () => {
      timer.cancel();
      member.beating = null;
      this.#sessions.touch(member);
    });
    const timer = this.#clock.after(maxWaitMs, () => waiter.resolve({ rebalanceInProgress: false }));
    member.beating = waiter;
    return waiter.promise;
  }
}
