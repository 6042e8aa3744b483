/** Writing down how far a group has come: what the caller commits, and what is committed for it. */
import type { MemberIdentity } from "../api/broker.ts";
import type { NextOffset } from "../api/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorFromFault, GroupError, OdradekError, UsageError } from "../base/errors.ts";
import type { Assignment } from "./assignment.ts";
import type { CommitRequest } from "./commit-request.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import type { Hand } from "./hand.ts";
import { type PartitionState, partitionKey } from "./partition-state.ts";
import type { Emit } from "./positions.ts";

/** In whose name a commit is made; generation -1 and no member id: a reader outside the group. */
export interface CommitIdentity extends MemberIdentity {
  readonly generation: number;
}

/** Who the consumer is in its group now. */
export interface CommitRole {
  /** Resolves when the member has an identity; throws what keeps it from one. */
  identity(): Promise<CommitIdentity>;
  /** Resolves when a rebalance that turned a commit away has got on; false: do not try again. */
  whenSynced(): Promise<boolean>;
}

/** A commit is turned away while a generation is handed out, which takes a moment: so often it is made again. */
const RETRY_COUNT_MAX = 10;

export class Committer {
  readonly #broker: ConsumerBroker;
  readonly #clock: Clock;
  readonly #assignment: Assignment;
  readonly #hand: Hand;
  readonly #role: CommitRole;
  readonly #emit: Emit;
  #timer: Timer | null = null;

  constructor(parts: {
    readonly broker: ConsumerBroker;
    readonly clock: Clock;
    readonly assignment: Assignment;
    readonly hand: Hand;
    readonly role: CommitRole;
    readonly emit: Emit;
  }) {
    this.#broker = parts.broker;
    this.#clock = parts.clock;
    this.#assignment = parts.assignment;
    this.#hand = parts.hand;
    this.#role = parts.role;
    this.#emit = parts.emit;
  }

  /** Commits by itself every `intervalMs` until stopped. What fails is tried again at the next: losing a commit loses nothing else. */
  start(intervalMs: number): void {
    const tick = (): void => {
      this.#timer = this.#clock.after(intervalMs, tick);
      this.commitMovedPast(this.#assignment.states, false).catch((error: unknown) => this.report(error));
    };
    this.#timer ??= this.#clock.after(intervalMs, tick);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  report(error: unknown): void {
    this.#emit("commit.failed", { error });
  }

  /** What the caller has moved past, and never what is in hand. */
  commitMovedPast(states: readonly PartitionState[], durable: boolean): Promise<void> {
    return this.#write(
      offsetsOf(states, (state) => state.movedPast),
      durable,
    );
  }

  /** `commit()`: as `commitMovedPast`, but after a poll the returned array too. */
  commitAll(durable: boolean): Promise<void> {
    const upTo = this.#hand.coversCommit ? (state: PartitionState) => state.position : (state: PartitionState) => state.movedPast;
    return this.#write(offsetsOf(this.#assignment.states, upTo), durable);
  }

  async commit({ offsets, isDelivered }: CommitRequest, durable: boolean): Promise<void> {
    if (isDelivered) for (const each of offsets) this.requireAssigned(each);
    await this.#write(offsets, durable);
  }

  requireAssigned(partition: NextOffset): void {
    if (this.#assignment.find(partition) !== undefined) return;
    throw new GroupError(
      "ILLEGAL_GENERATION",
      `commit: ${partitionKey(partition)} is no longer assigned to this consumer; whoever has it now reads on from the last commit`,
    );
  }

  /** These offsets were committed, by whomever: no later commit by itself says less. */
  learn(offsets: readonly NextOffset[]): void {
    for (const each of offsets) {
      const state = this.#assignment.find(each);
      if (state !== undefined) this.#learn(state, each.nextOffset, state.epoch, state.rewindTo);
    }
  }

  async #write(offsets: readonly NextOffset[], durable: boolean): Promise<void> {
    if (offsets.length === 0) return;
    const before = offsets.map((each) => {
      const state = this.#assignment.find(each);
      return state === undefined ? null : { state, epoch: state.epoch, rewindTo: state.rewindTo };
    });
    await this.#send(offsets, durable);
    for (const [index, { nextOffset }] of offsets.entries()) {
      const found = before[index];
      if (found !== null && found !== undefined) this.#learn(found.state, nextOffset, found.epoch, found.rewindTo);
    }
  }

  #learn(state: PartitionState, nextOffset: number, epoch: number, rewindTo: number | null): void {
    state.committed = nextOffset;
    // A seek since then began anew: what follows it may be committed, however far back.
    if (state.epoch === epoch && nextOffset <= (state.position as number)) state.committedFloor = nextOffset;
    if (state.rewindTo === rewindTo) state.rewindTo = null;
  }

  async #send(offsets: readonly NextOffset[], durable: boolean): Promise<void> {
    for (let retries = 0; ; retries++) {
      const identity = await this.#role.identity();
      try {
        const answers = await this.#broker.offsetCommit({
          ...identity,
          durable,
          offsets: offsets.map(({ topic, partition, nextOffset }) => ({ topic, partition, nextOffset, leaderEpoch: -1, metadata: "" })),
        });
        for (const { fault } of answers) if (fault !== null) throw errorFromFault(fault);
        return;
      } catch (error) {
        const turnedAway = error instanceof OdradekError && error.code === "REBALANCE_IN_PROGRESS";
        if (!turnedAway || retries === RETRY_COUNT_MAX || !(await this.#role.whenSynced())) throw error;
        // A generation has begun meanwhile: what it took away is not ours to commit any more.
        for (const each of offsets) this.requireAssigned(each);
      }
    }
  }
}

/** Of each partition, what is new up to there. */
export function offsetsOf(states: readonly PartitionState[], upTo: (state: PartitionState) => number | null): NextOffset[] {
  const offsets: NextOffset[] = [];
  for (const state of states) {
    const nextOffset = state.commitOf(upTo(state));
    if (nextOffset !== null) offsets.push({ topic: state.topic, partition: state.partition, nextOffset });
  }
  return offsets;
}

/** For a consumer without a `groupId`. */
export function noGroup(call: string): UsageError {
  return new UsageError("NO_GROUP", `${call}: this consumer has no groupId: expected log.consumer({ groupId: … })`);
}
