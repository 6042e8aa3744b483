/**
 * One consumer group: Kafka's classic protocol as a state machine. No I/O: time comes from a clock, and what must be kept is
 * handed to `save`.
 *
 *   Empty ──join──▶ PreparingRebalance ──all joined, or time is up──▶ CompletingRebalance ──leader's sync──▶ Stable
 *     ▲                │      ▲                                             │ join, leave, late sync           │
 *     └──nobody left───┘      └─────────────────────────────────────────────┴──────────────────────────────────┘
 */
import type {
  GroupSnapshot,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  MemberIdentity,
  SyncGroupRequest,
} from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { GroupState } from "../api/group.ts";
import type { Timer } from "../base/clock.ts";
import type { GroupEnvironment, JoinOptions } from "./group-environment.ts";
import { outsideCommit, rebalancing, staleGeneration } from "./group-errors.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import { describedGroup, type GroupFacts, joinAnswer, keptGroup } from "./group-snapshot.ts";
import { JoinBarrier } from "./join-barrier.ts";
import {
  bytesEqual,
  endCalls,
  type GroupMember,
  isRemote,
  metadataOf,
  NO_BYTES,
  newMember,
  restoredMember,
  saysTheSame,
  updateMember,
} from "./member.ts";
import { MemberIdRequiredError } from "./member-id.ts";
import { MemberTable } from "./member-table.ts";
import { PendingIds } from "./pending-ids.ts";
import { Sessions } from "./sessions.ts";
import { WaitingCalls } from "./waiting-calls.ts";

export class Group {
  readonly groupId: string;
  readonly #environment: GroupEnvironment;
  readonly #members: MemberTable;
  readonly #sessions: Sessions;
  readonly #calls: WaitingCalls;
  readonly #joinBarrier: JoinBarrier;
  /** A rebalance waits for them too. */
  readonly #pendingIds: PendingIds;
  #state: GroupState = "Empty";
  #stateTimestamp: number;
  #generation = 0;
  #protocolType = "";
  #protocolName: string | null = null;
  #syncTimer: Timer | null = null;
  #savingGeneration = -1;

  constructor(groupId: string, environment: GroupEnvironment, kept: GroupMetadata | null = null) {
    this.groupId = groupId;
    this.#environment = environment;
    this.#members = new MemberTable(groupId);
    const { clock } = environment;
    this.#pendingIds = new PendingIds(clock);
    this.#joinBarrier = new JoinBarrier(clock, environment.initialRebalanceDelayMs, () => this.#completeJoin());
    this.#sessions = new Sessions(clock, (member, timeoutMs) => {
      this.#remove(member, `nothing was heard of it for its session timeout of ${timeoutMs} ms`);
    });
    this.#calls = new WaitingCalls(groupId, clock, this.#sessions);
    this.#stateTimestamp = clock.now();
    if (kept !== null) this.#restore(kept);
  }

  /** What is said of the group without its members. */
  get facts(): GroupFacts {
    return {
      groupId: this.groupId,
      state: this.#state,
      protocolType: this.#protocolType,
      generation: this.#generation,
      protocolName: this.#protocolName,
      stateTimestamp: this.#stateTimestamp,
    };
  }

  get memberCount(): number {
    return this.#members.size;
  }

  // ── The calls ──────────────────────────────────────────────────────────────

  join(request: JoinGroupRequest, options: JoinOptions): Promise<JoinGroupResponse> {
    const { memberId, groupInstanceId } = request;
    const predecessor = groupInstanceId === null ? undefined : this.#members.staticMember(groupInstanceId);
    const known = memberId === "" ? predecessor : this.#members.get(memberId);
    this.#members.checkProtocols(request, this.#protocolType, known);
    if (memberId === "") {
      if (predecessor !== undefined) return this.#replaceStatic(predecessor, request, options);
      const given = this.#environment.newMemberId(groupInstanceId ?? request.clientId);
      if (groupInstanceId === null && options.requireKnownMemberId === true) throw this.#expectBack(given, request);
      return this.#enter(given, request, options);
    }
    if (this.#pendingIds.take(memberId)) return this.#enter(memberId, request, options);
    return this.#rejoin(this.#members.require(request), request, options);
  }

  sync(request: SyncGroupRequest, signal: AbortSignal | undefined): Promise<{ readonly assignment: Bytes }> {
    const member = this.#requireCurrent(request);
    if (this.#state === "PreparingRebalance") throw rebalancing(this.groupId);
    member.synced = true;
    if (this.#state === "Stable") {
      if (!this.#members.some(({ synced }) => !synced)) this.#cancelSyncTimer();
      return Promise.resolve({ assignment: member.assignment });
    }
    const answer = this.#calls.sync(member, signal);
    if (member.memberId === this.#members.leaderId) this.#assign(request.assignments);
    return answer;
  }

  heartbeat(request: HeartbeatRequest, signal: AbortSignal | undefined): Promise<{ readonly rebalanceInProgress: boolean }> {
    const member = this.#requireCurrent(request);
    const rebalanceInProgress = this.#state === "PreparingRebalance";
    if (rebalanceInProgress || request.maxWaitMs <= 0) return Promise.resolve({ rebalanceInProgress });
    return this.#calls.heartbeat(member, request.maxWaitMs, signal);
  }

  /** A static member may be named by its instance id alone. */
  leave(identity: Pick<MemberIdentity, "memberId" | "groupInstanceId">): void {
    if (this.#pendingIds.take(identity.memberId)) {
      this.#completeJoinIfReady();
      return;
    }
    this.#remove(this.#members.named(identity), "it left");
  }

  /** Throws unless the member may commit: see `OffsetCommitRequest`. */
  checkCommit(request: Pick<MemberIdentity, "memberId" | "groupInstanceId"> & { readonly generation: number }): void {
    const outside = request.generation < 0 && request.memberId === "" && request.groupInstanceId === null;
    if (outside && this.#members.size === 0) return;
    if (outside) throw outsideCommit(this.groupId, this.#state, this.#members.size);
    this.#requireCurrent(request);
    if (this.#state === "CompletingRebalance") throw rebalancing(this.groupId);
  }

  describe(): GroupSnapshot {
    return describedGroup(this.facts, this.#members);
  }

  /** Ends every waiting call with `error` and every timer. */
  close(error: Error): void {
    this.#state = "Dead";
    this.#joinBarrier.lower();
    this.#cancelSyncTimer();
    this.#pendingIds.clear();
    for (const member of [...this.#members]) {
      this.#sessions.end(member);
      endCalls(member, error);
      this.#members.remove(member, "the group was closed");
    }
  }

  // ── Joining ────────────────────────────────────────────────────────────────

  #expectBack(memberId: string, request: JoinGroupRequest): MemberIdRequiredError {
    this.#pendingIds.expect(memberId, request.sessionTimeoutMs ?? request.rebalanceTimeoutMs, () => this.#completeJoinIfReady());
    return new MemberIdRequiredError(this.groupId, memberId);
  }

  #enter(memberId: string, request: JoinGroupRequest, options: JoinOptions): Promise<JoinGroupResponse> {
    const member = newMember(memberId, request, options.clientHost ?? "");
    if (this.#members.size === 0) this.#protocolType = request.protocolType;
    this.#members.add(member);
    this.#joinBarrier.someoneCame();
    // A caller that never learnt its id can never come back for it: its abort is a leave.
    const nameless = request.memberId === "" && request.groupInstanceId === null;
    const answer = this.#calls.join(member, options.signal, () => {
      if (nameless && this.#members.has(member)) this.#remove(member, "its join was aborted");
    });
    this.#prepareRebalance(`"${memberId}" joins`);
    return answer;
  }

  #rejoin(member: GroupMember, request: JoinGroupRequest, options: JoinOptions): Promise<JoinGroupResponse> {
    this.#sessions.touch(member);
    const leads = member.memberId === this.#members.leaderId;
    const unchanged = saysTheSame(member, request.protocols);
    // In CompletingRebalance the answer may have been lost on its way. In Stable a leader that joins wants a new assignment.
    if (unchanged && (this.#state === "CompletingRebalance" || (this.#state === "Stable" && !leads))) {
      return Promise.resolve(joinAnswer(member, this.facts, this.#members));
    }
    updateMember(member, request, options.clientHost);
    const answer = this.#calls.join(member, options.signal, () => {});
    this.#prepareRebalance(
      unchanged ? `its leader "${member.memberId}" joins again` : `"${member.memberId}" joins again with other metadata`,
    );
    return answer;
  }

  #replaceStatic(old: GroupMember, request: JoinGroupRequest, options: JoinOptions): Promise<JoinGroupResponse> {
    const memberId = this.#environment.newMemberId(old.groupInstanceId as string);
    const protocolBefore = metadataOf(old, this.#protocolName);
    const successor: GroupMember = {
      ...newMember(memberId, request, options.clientHost ?? ""),
      assignment: old.assignment,
      synced: old.synced,
    };
    this.#members.replace(old, successor);
    this.#sessions.end(old);
    endCalls(old, this.#members.fenced(old.memberId, old.groupInstanceId as string));
    this.#sessions.touch(successor);
    const unchanged =
      this.#state === "Stable" &&
      this.#members.electProtocol() === this.#protocolName &&
      bytesEqual(metadataOf(successor, this.#protocolName), protocolBefore);
    if (unchanged) {
      // Should it lead and assign, its assignment is not looked at: a stable group answers a sync with what it has.
      const answer = joinAnswer(successor, this.facts, this.#members);
      const saved = this.#save();
      if (isRemote(successor)) return saved.then(() => answer);
      void saved.catch((error: unknown) => this.#notKept(error));
      return Promise.resolve(answer);
    }
    const answer = this.#calls.join(successor, options.signal, () => {});
    this.#prepareRebalance(`static member "${old.groupInstanceId}" is back with other metadata`);
    return answer;
  }

  // ── The join barrier ───────────────────────────────────────────────────────

  #prepareRebalance(reason: string): void {
    if (this.#state === "PreparingRebalance") {
      this.#completeJoinIfReady();
      return;
    }
    const first = this.#state === "Empty";
    this.#setState("PreparingRebalance");
    this.#cancelSyncTimer();
    this.#environment.emit("group.rebalancing", { groupId: this.groupId, generation: this.#generation, reason });
    for (const member of [...this.#members]) {
      member.syncing?.reject(rebalancing(this.groupId));
      member.beating?.resolve({ rebalanceInProgress: true });
    }
    const timeoutMs = this.#members.rebalanceTimeoutMsMax();
    if (first && this.#members.some(isRemote)) {
      this.#joinBarrier.raiseForFirstMembers(timeoutMs);
      return;
    }
    this.#joinBarrier.raise(timeoutMs);
    this.#completeJoinIfReady();
  }

  #completeJoinIfReady(): void {
    if (this.#state !== "PreparingRebalance" || this.#joinBarrier.awaitsFirstMembers || this.#pendingIds.size > 0) return;
    if (!this.#members.some(({ joining }) => joining === null)) this.#completeJoin();
  }

  /** The barrier falls: whoever has not joined is put out (a remote static member stays until its session ends). */
  #completeJoin(): void {
    this.#joinBarrier.lower();
    for (const member of [...this.#members]) {
      if (member.joining !== null || (member.groupInstanceId !== null && isRemote(member))) continue;
      this.#drop(member, `it did not join generation ${this.#generation + 1} within ${this.#members.rebalanceTimeoutMsMax()} ms`);
    }
    const joined = [...this.#members].filter(({ joining }) => joining !== null);
    if (this.#members.size === 0) this.#becomeEmpty();
    // Static members only, all of them away: wait until one is back or its session ends.
    else if (joined.length === 0) this.#joinBarrier.raise(this.#members.rebalanceTimeoutMsMax());
    else this.#beginGeneration(joined);
  }

  #beginGeneration(joined: readonly GroupMember[]): void {
    if (!joined.some(({ memberId }) => memberId === this.#members.leaderId)) this.#members.leaderId = (joined[0] as GroupMember).memberId;
    this.#generation++;
    this.#protocolName = this.#members.electProtocol();
    this.#setState("CompletingRebalance");
    for (const member of this.#members) member.synced = member.joining === null;
    const timeoutMs = this.#members.rebalanceTimeoutMsMax();
    this.#syncTimer = this.#environment.clock.after(timeoutMs, () => this.#expireSyncs(timeoutMs), true);
    for (const member of joined) member.joining?.resolve(joinAnswer(member, this.facts, this.#members));
  }

  #becomeEmpty(): void {
    this.#generation++;
    this.#protocolName = null;
    this.#setState("Empty");
    void this.#save().catch((error: unknown) => this.#notKept(error));
  }

  // ── The sync barrier ───────────────────────────────────────────────────────

  #assign(assignments: SyncGroupRequest["assignments"]): void {
    if (this.#savingGeneration === this.#generation) return;
    const given = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    for (const member of this.#members) member.assignment = given.get(member.memberId) ?? NO_BYTES;
    const generation = this.#generation;
    this.#savingGeneration = generation;
    const current = (): boolean => this.#state === "CompletingRebalance" && this.#generation === generation;
    void this.#save().then(
      () => {
        if (current()) this.#becomeStable();
      },
      (error: unknown) => {
        this.#savingGeneration = -1;
        this.#notKept(error);
        if (!current()) return;
        for (const member of [...this.#members]) {
          member.assignment = NO_BYTES;
          member.syncing?.reject(error);
        }
        this.#prepareRebalance("its assignment could not be kept");
      },
    );
    // Members of this process end with it, so nothing is owed to a restart.
    if (!this.#members.some(isRemote)) this.#becomeStable();
  }

  #becomeStable(): void {
    this.#setState("Stable");
    if (!this.#members.some(({ synced }) => !synced)) this.#cancelSyncTimer();
    const { groupId } = this;
    this.#environment.emit("group.rebalanced", { groupId, generation: this.#generation, memberCount: this.#members.size });
    for (const member of [...this.#members]) member.syncing?.resolve({ assignment: member.assignment });
  }

  #expireSyncs(timeoutMs: number): void {
    for (const member of [...this.#members]) {
      if (!member.synced) this.#drop(member, `it did not sync generation ${this.#generation} within ${timeoutMs} ms`);
    }
    this.#prepareRebalance("members did not sync");
  }

  #cancelSyncTimer(): void {
    this.#syncTimer?.cancel();
    this.#syncTimer = null;
  }

  // ── Leaving ────────────────────────────────────────────────────────────────

  #remove(member: GroupMember, reason: string): void {
    this.#drop(member, reason);
    this.#prepareRebalance(`"${member.memberId}" is gone: ${reason}`);
  }

  #drop(member: GroupMember, reason: string): void {
    this.#members.remove(member, reason);
    this.#sessions.end(member);
    endCalls(member, this.#members.unknown(member.memberId));
    const { groupId } = this;
    this.#environment.emit("group.memberRemoved", { groupId, memberId: member.memberId, clientId: member.clientId, reason });
  }

  // ── The rest ───────────────────────────────────────────────────────────────

  #requireCurrent(request: Pick<MemberIdentity, "memberId" | "groupInstanceId"> & { readonly generation: number }): GroupMember {
    const member = this.#members.require(request);
    if (request.generation !== this.#generation) {
      throw staleGeneration(this.groupId, request.memberId, request.generation, this.#generation);
    }
    this.#sessions.touch(member);
    return member;
  }

  #setState(state: GroupState): void {
    this.#state = state;
    this.#stateTimestamp = this.#environment.clock.now();
  }

  #save(): Promise<void> {
    return this.#environment.save(this.groupId, keptGroup(this.facts, this.#members));
  }

  #notKept(error: unknown): void {
    this.#environment.emit("group.notKept", { groupId: this.groupId, generation: this.#generation, error });
  }

  #restore(kept: GroupMetadata): void {
    this.#generation = kept.generation;
    this.#protocolType = kept.protocolType;
    this.#stateTimestamp = kept.stateTimestamp;
    const remote = kept.members.filter(({ sessionTimeoutMs }) => sessionTimeoutMs >= 0);
    if (kept.members.length === 0) return;
    this.#stateTimestamp = this.#environment.clock.now();
    if (remote.length === 0) return;
    this.#protocolName = kept.protocolName;
    for (const each of remote) {
      const member = restoredMember(each, this.groupId, kept.protocolType, kept.protocolName ?? "");
      this.#members.add(member);
      this.#sessions.touch(member);
    }
    if (this.#members.get(kept.leader ?? "") !== undefined) this.#members.leaderId = kept.leader;
    this.#setState("Stable");
    if (remote.length < kept.members.length) this.#prepareRebalance("members of a process that ended are gone");
  }
}
