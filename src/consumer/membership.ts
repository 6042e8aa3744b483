/**
 * One member of a consumer group, Kafka's classic protocol from the member's side: it joins, learns its partitions, and
 * listens for the next rebalance. It runs by itself, so that a member whose caller does nothing holds nobody up.
 *
 *   join ──▶ sync ──▶ assigned ──heartbeats, each held by the coordinator──▶ rebalance ──▶ nothing in hand ──▶ join …
 */
import type { TopicPartition } from "../api/bytes.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { GroupError, OdradekError } from "../base/errors.ts";
import { turnOf } from "../base/turn.ts";
import {
  assignorByName,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type PartitionAssignor,
} from "./assignors/index.ts";
import type { CommitIdentity, CommitRole } from "./committer.ts";
import type { ConsumerBroker } from "./consumer-broker.ts";
import { isLost } from "./lost.ts";
import { partitionKey } from "./partition-state.ts";
import type { GroupGate } from "./reader.ts";
import { Signal } from "./signal.ts";
import type { Subscription } from "./subscription.ts";

/** How long the coordinator holds a heartbeat; topics that come and go are seen as often. */
const HEARTBEAT_WAIT_MS = 1000;
/** Between tries after an error that may pass. */
const RETRY_MS = 100;
/** What a rebalance does to the consumer. Listeners that throw are reported there, and stop nothing. */
export interface RebalanceTarget {
  assigned(): readonly TopicPartition[];
  /** Resolves when the caller has nothing in hand. */
  whenIdle(): Promise<void>;
  /** Commits what was moved past, tells the listener, lets go. Rejects with what kept the commit from being made. */
  revoke(partitions: readonly TopicPartition[]): Promise<void>;
  /** Another member may have them already: nothing can be committed. */
  lose(partitions: readonly TopicPartition[]): Promise<void>;
  assign(partitions: readonly TopicPartition[]): Promise<void>;
  /** Whoever waits for records must look again. */
  changed(): void;
}

export interface MembershipOptions {
  readonly groupId: string;
  readonly clientId: string;
  readonly assignors: readonly string[];
  readonly maxPollIntervalMs: number;
}

export class Membership implements GroupGate, CommitRole {
  readonly #broker: ConsumerBroker;
  readonly #clock: Clock;
  readonly #options: MembershipOptions;
  readonly #target: RebalanceTarget;
  readonly #assignors: readonly PartitionAssignor[];
  readonly #isCooperative: boolean;
  #subscription: Subscription;
  /** Of all topics that this member must watch: its own, and as leader the whole group's. */
  #watched: ReadonlyMap<string, number> = new Map();
  #memberId = "";
  #generation = -1;
  #lastAssigned: readonly TopicPartition[] = [];
  #isLeader = false;
  #leaderTopics: readonly string[] = [];
  #isBlocking = true;
  #isJoined = false;
  /** Whether it has ever been given an assignment. */
  #wasMember = false;
  #mustJoin = false;
  #failure: unknown = null;
  #isClosed = false;
  #beat: AbortController | null = null;
  readonly #closing: AbortController = new AbortController();
  readonly #requested: Signal = new Signal();
  readonly #synced: Signal = new Signal();
  #run: Promise<void> | null = null;

  constructor(broker: ConsumerBroker, clock: Clock, options: MembershipOptions, target: RebalanceTarget, subscription: Subscription) {
    this.#broker = broker;
    this.#clock = clock;
    this.#options = options;
    this.#target = target;
    this.#subscription = subscription;
    this.#assignors = options.assignors.map(assignorByName);
    // As in Kafka: one that can only revoke everything makes the whole list so.
    this.#isCooperative = this.#assignors.every(({ protocol }) => protocol === "cooperative");
  }

  get failure(): unknown {
    return this.#failure;
  }

  get isBlocking(): boolean {
    return this.#isBlocking && this.#failure === null;
  }

  /** Resolves when the coordinator knows the member; rejects with what kept it from that. */
  async register(): Promise<void> {
    this.#run ??= this.#live();
    await this.#requested.wait();
    if (this.#failure !== null) throw this.#failure;
    // A join waits for the others as long as they please. What is asked after it is answered after it was taken in or refused; twice,
    // so that a refusal has had the time to come back. What is answered does not matter.
    const describe = (): Promise<unknown> => this.#broker.describeGroup(this.#options.groupId).catch(() => null);
    await Promise.race([this.#synced.wait(), describe().then(describe)]);
    if (this.#failure !== null) throw this.#failure;
  }

  /** Another subscription, from the next rebalance on, which this begins. */
  subscribe(subscription: Subscription): void {
    this.#subscription = subscription;
    if (this.#failure === null) {
      this.#rejoin();
    } else {
      this.#failure = null;
      this.#run = this.#live();
    }
  }

  async isSettled(): Promise<boolean> {
    if (this.#isBlocking || !this.#isJoined) return false;
    try {
      const { rebalanceInProgress } = await this.#broker.heartbeat({ ...this.#identity(), maxWaitMs: 0 }, this.#closing.signal);
      if (rebalanceInProgress) this.#rejoin();
      return !rebalanceInProgress && this.#isJoined && !this.#isBlocking;
    } catch {
      // The held heartbeat meets the same error, and deals with it.
      this.#rejoin();
      return false;
    }
  }

  async topicIsMissing(): Promise<void> {
    // Topics are looked at after every heartbeat.
    this.#beat?.abort();
    await this.#pause(RETRY_MS);
  }

  async identity(): Promise<CommitIdentity> {
    while (!this.#wasMember && this.#failure === null && !this.#isClosed) await this.#synced.wait();
    return this.present();
  }

  /** Who the member is now. Throws what ended its membership, for good or until it has joined again. */
  present(): CommitIdentity {
    if (this.#failure !== null) throw this.#failure;
    // Not waited for: what is to be committed was read as a member that is no more.
    if (this.#memberId === "" || this.#generation < 0) {
      const { groupId } = this.#options;
      throw new GroupError(
        "UNKNOWN_MEMBER_ID",
        `group "${groupId}" has put this consumer out: what it had in hand is delivered again, to whoever has the partition`,
      );
    }
    return this.#identity();
  }

  async whenSynced(): Promise<boolean> {
    if (this.#isClosed || this.#failure !== null) return false;
    // What turned the commit away may be over already: a moment's wait, or the next sync.
    await Promise.race([this.#synced.wait(), this.#pause(RETRY_MS / 10)]);
    return !this.#isClosed && this.#failure === null;
  }

  /** Takes no further part in rebalances, as a member still. What a listener is doing is not waited for. */
  stop(): void {
    this.#isClosed = true;
    this.#closing.abort();
    this.#beat?.abort();
    this.#requested.tell();
    this.#synced.tell();
  }

  /** Leaves the group, having been stopped. */
  async leave(): Promise<void> {
    if (this.#memberId === "") return;
    const { groupId } = this.#options;
    await this.#broker.leaveGroup({ groupId, members: [{ memberId: this.#memberId, groupInstanceId: null }] }).catch((error: unknown) => {
      if (!isLost(error)) throw error;
    });
  }

  async #live(): Promise<void> {
    while (!this.#isClosed && this.#failure === null) {
      try {
        await this.#join();
        await this.#stay();
      } catch (error) {
        if (this.#isClosed) break;
        await this.#meet(error);
      }
    }
    this.#requested.tell();
    this.#synced.tell();
    this.#target.changed();
  }

  async #join(): Promise<void> {
    this.#mustJoin = false;
    this.#isJoined = false;
    this.#block(true);
    await this.#whenIdle();
    if (!this.#isCooperative) await this.#revoke(this.#target.assigned());
    this.#throwIfClosed();
    const topics = await this.#subscription.topics(this.#broker);
    const owned = this.#target.assigned();
    // A cooperative member goes on reading what it keeps while the others come.
    if (this.#isCooperative) this.#block(false);
    const joining = this.#broker.joinGroup(
      {
        ...this.#member(),
        clientId: this.#options.clientId,
        protocolType: "consumer",
        protocols: this.#assignors.map((assignor) => ({
          name: assignor.name,
          metadata: encodeSubscription({
            topics: [...topics.keys()],
            userData: assignor.subscriptionUserData(this.#lastAssigned, this.#generation),
            ownedPartitions: this.#isCooperative ? owned : [],
            generation: this.#isCooperative ? this.#generation : -1,
          }),
        })),
        sessionTimeoutMs: null,
        rebalanceTimeoutMs: this.#options.maxPollIntervalMs,
      },
      this.#closing.signal,
    );
    this.#requested.tell();
    const joined = await joining;
    this.#memberId = joined.memberId;
    this.#generation = joined.generation;
    // The abort may have come too late to be heard.
    if (this.#isClosed) await this.leave();
    this.#throwIfClosed();
    this.#isLeader = joined.leader === joined.memberId;
    const assignments = this.#isLeader ? await this.#lead(joined.protocolName, joined.members) : [];
    this.#watched = this.#isLeader ? this.#watched : topics;
    const { assignment } = await this.#broker.syncGroup(
      { ...this.#member(), generation: joined.generation, assignments },
      this.#closing.signal,
    );
    this.#isJoined = true;
    this.#wasMember = true;
    this.#synced.tell();
    await this.#adopt(decodeAssignment(assignment).partitions);
  }

  /** Assigns for all: which partitions there are is looked at now, by the leader alone. */
  async #lead(
    protocolName: string,
    members: readonly { readonly memberId: string; readonly groupInstanceId: string | null; readonly metadata: Uint8Array }[],
  ): Promise<{ memberId: string; assignment: ReturnType<typeof encodeAssignment> }[]> {
    const subscriptions = new Map(members.map((each) => [each.memberId, decodeSubscription(each.metadata, each.groupInstanceId)]));
    this.#leaderTopics = [...new Set([...subscriptions.values()].flatMap(({ topics }) => topics))];
    const metadata = await this.#broker.metadata(this.#leaderTopics);
    this.#watched = new Map(metadata.map(({ name, partitionCount }) => [name, partitionCount]));
    const given = assignorByName(protocolName).assign(this.#watched, subscriptions);
    return members.map(({ memberId }) => ({ memberId, assignment: encodeAssignment(given.get(memberId) as readonly TopicPartition[]) }));
  }

  async #adopt(partitions: readonly TopicPartition[]): Promise<void> {
    const given = new Set(partitions.map(partitionKey));
    const owned = this.#target.assigned();
    const had = new Set(owned.map(partitionKey));
    const taken = owned.filter((partition) => !given.has(partitionKey(partition)));
    this.#lastAssigned = partitions;
    if (taken.length > 0) {
      this.#block(true);
      await this.#whenIdle();
      await this.#revoke(taken);
      // What was given up here is handed out by the rebalance that this join begins.
      this.#mustJoin = true;
    }
    this.#throwIfClosed();
    await this.#target.assign(partitions.filter((partition) => !had.has(partitionKey(partition))));
    if (!this.#mustJoin) this.#block(false);
  }

  /** Listens until there is a reason to join again. */
  async #stay(): Promise<void> {
    while (!this.#mustJoin && !this.#isClosed) {
      this.#beat = new AbortController();
      try {
        const { rebalanceInProgress } = await this.#broker.heartbeat(
          { ...this.#identity(), maxWaitMs: HEARTBEAT_WAIT_MS },
          this.#beat.signal,
        );
        if (rebalanceInProgress) await this.#awaitOthers();
      } catch (error) {
        if (!this.#beat.signal.aborted) throw error;
      } finally {
        this.#beat = null;
      }
      if (!this.#mustJoin && !this.#isClosed && (await this.#topicsChanged())) this.#mustJoin = true;
    }
    this.#throwIfClosed();
  }

  /** Whoever else comes in this turn is part of the same rebalance: of a hundred who subscribe one after another, not each begins one. */
  async #awaitOthers(): Promise<void> {
    this.#mustJoin = true;
    this.#block(true);
    await turnOf(this.#clock).ending();
  }

  async #topicsChanged(): Promise<boolean> {
    const own = await this.#subscription.topics(this.#broker);
    if (!this.#isLeader) return !sameKeys(own, this.#watched);
    const metadata = await this.#broker.metadata(this.#leaderTopics);
    const now = new Map([...metadata.map(({ name, partitionCount }) => [name, partitionCount] as const), ...own]);
    return now.size !== this.#watched.size || [...now].some(([topic, count]) => this.#watched.get(topic) !== count);
  }

  async #meet(error: unknown): Promise<void> {
    const code = error instanceof OdradekError ? error.code : null;
    if (isLost(error)) {
      // Put out for not joining in time, or left behind by a generation: what is assigned here may be another's by now.
      if (code === "UNKNOWN_MEMBER_ID") this.#memberId = "";
      this.#generation = -1;
      this.#block(true);
      await this.#target.lose(this.#target.assigned());
      return;
    }
    if (error instanceof OdradekError && error.retriable) {
      if (code !== "REBALANCE_IN_PROGRESS") await this.#pause(RETRY_MS);
      return;
    }
    this.#failure = error;
    // Nobody is to wait for a member that takes no further part.
    void this.leave().catch(() => {});
    this.#memberId = "";
    this.#generation = -1;
  }

  /**
   * While a record is in hand the others wait, at most this member's own `maxPollIntervalMs`: then it leaves, as Kafka's clients
   * do, since the coordinator waits for the longest that any member allows itself. Who comes in time asks whether it still is one.
   */
  async #whenIdle(): Promise<void> {
    const isInTime = await this.#isIdleInTime();
    this.#throwIfClosed();
    if (!isInTime) {
      await this.leave();
      const { groupId, maxPollIntervalMs } = this.#options;
      throw new GroupError(
        "UNKNOWN_MEMBER_ID",
        `group "${groupId}": a record was in hand for more than ${maxPollIntervalMs} ms while a rebalance was due`,
      );
    }
    if (this.#memberId !== "" && this.#generation >= 0 && this.#target.assigned().length > 0) {
      await this.#broker.heartbeat({ ...this.#identity(), maxWaitMs: 0 }, this.#closing.signal);
    }
  }

  async #isIdleInTime(): Promise<boolean> {
    const idle = this.#target.whenIdle().then(() => true);
    if (this.#memberId === "") return idle;
    let timer: Timer | null = null;
    const late = new Promise<boolean>((resolve) => {
      timer = this.#clock.after(this.#options.maxPollIntervalMs, () => resolve(false));
    });
    return Promise.race([idle, late]).finally(() => timer?.cancel());
  }

  async #revoke(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length > 0) await this.#target.revoke(partitions);
  }

  #rejoin(): void {
    this.#mustJoin = true;
    this.#beat?.abort();
  }

  #block(isBlocking: boolean): void {
    this.#isBlocking = isBlocking;
    this.#target.changed();
  }

  #member(): { readonly groupId: string; readonly memberId: string; readonly groupInstanceId: null } {
    return { groupId: this.#options.groupId, memberId: this.#memberId, groupInstanceId: null };
  }

  #identity(): CommitIdentity {
    return { ...this.#member(), generation: this.#generation };
  }

  #throwIfClosed(): void {
    this.#closing.signal.throwIfAborted();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(delayMs, resolve, true));
  }
}

function sameKeys(left: ReadonlyMap<string, unknown>, right: ReadonlyMap<string, unknown>): boolean {
  return left.size === right.size && [...left.keys()].every((key) => right.has(key));
}
