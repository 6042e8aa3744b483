/** Kafka's group coordinator: the groups by their ids, and the checks that stand before each. No I/O; time and chance are given. */
import type {
  GroupSnapshot,
  HeartbeatRequest,
  JoinGroupRequest,
  JoinGroupResponse,
  LeaveGroupRequest,
  MemberIdentity,
  SyncGroupRequest,
} from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { Clock, Random } from "../base/clock.ts";
import { GroupError, UsageError } from "../base/errors.ts";
import { Group } from "./group.ts";
import type { GroupEnvironment, JoinOptions } from "./group-environment.ts";
import { nonEmpty } from "./group-errors.ts";
import type { GroupMetadata } from "./group-metadata.ts";
import { newMemberId } from "./member-id.ts";

const INITIAL_REBALANCE_DELAY_MS = 3000;
const SESSION_TIMEOUT_MS_MIN = 6000;
const SESSION_TIMEOUT_MS_MAX = 1_800_000;

export interface GroupCoordinatorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Kafka's `group.initial.rebalance.delay.ms`, 3000 unless said; never waited where all members are of this process. */
  readonly initialRebalanceDelayMs?: number | undefined;
  readonly save: GroupEnvironment["save"];
  readonly emit: GroupEnvironment["emit"];
}

export class GroupCoordinator {
  readonly #groups = new Map<string, Group>();
  readonly #environment: GroupEnvironment;
  #closed: Error | null = null;

  constructor({ clock, random, initialRebalanceDelayMs, save, emit }: GroupCoordinatorOptions) {
    this.#environment = {
      clock,
      save,
      emit,
      initialRebalanceDelayMs: initialRebalanceDelayMs ?? INITIAL_REBALANCE_DELAY_MS,
      newMemberId: (prefix) => newMemberId(prefix, random),
    };
  }

  /** What a restart finds. Members of a process that ended are gone; those from outside have a session to be heard in. */
  restore(groupId: string, kept: GroupMetadata): void {
    if (this.#groups.has(groupId)) throw new Error(`restore: group "${groupId}" is there already`);
    this.#groups.set(groupId, new Group(groupId, this.#environment, kept));
  }

  /**
   * Resolves when the join barrier falls. Rejects with `INVALID_GROUP_ID`, `INVALID_SESSION_TIMEOUT`,
   * `INCONSISTENT_GROUP_PROTOCOL`, `UNKNOWN_MEMBER_ID`, `FENCED_INSTANCE_ID`, `MEMBER_ID_REQUIRED` (a `MemberIdRequiredError`).
   */
  async joinGroup(request: JoinGroupRequest, signal?: AbortSignal, remote: Omit<JoinOptions, "signal"> = {}): Promise<JoinGroupResponse> {
    this.#open(signal);
    checkJoin(request);
    let group = this.#groups.get(request.groupId);
    if (group === undefined) {
      if (request.memberId !== "") throw this.#unknownGroup(request);
      group = new Group(request.groupId, this.#environment);
      this.#groups.set(request.groupId, group);
    }
    return group.join(request, { ...remote, signal });
  }

  /** Resolves when the leader's assignment is in (and written, where a member is of another process). */
  async syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<{ readonly assignment: Bytes }> {
    this.#open(signal);
    return this.#groupOf(request).sync(request, signal);
  }

  async heartbeat(request: HeartbeatRequest, signal?: AbortSignal): Promise<{ readonly rebalanceInProgress: boolean }> {
    this.#open(signal);
    return this.#groupOf(request).heartbeat(request, signal);
  }

  /** Every member that can leave does; then the first that could not rejects the call. */
  async leaveGroup({ groupId, members }: LeaveGroupRequest): Promise<void> {
    this.#open();
    const errors: unknown[] = [];
    for (const member of members) {
      try {
        this.#groupOf({ groupId, memberId: member.memberId }).leave(member);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Throws unless this member, or this committer from outside the group, may commit now. */
  checkCommit(request: MemberIdentity & { readonly generation: number }): void {
    this.#open();
    const group = this.#groups.get(request.groupId);
    if (group !== undefined) group.checkCommit(request);
    else if (request.generation >= 0 || request.memberId !== "") throw this.#unknownGroup(request);
  }

  groupIds(): IterableIterator<string> {
    return this.#groups.keys();
  }

  /** null: no such group. */
  describe(groupId: string): GroupSnapshot | null {
    return this.#groups.get(groupId)?.describe() ?? null;
  }

  /** When the group came into its state, ms since 1970; null: no such group here. */
  stateTimestamp(groupId: string): number | null {
    return this.#groups.get(groupId)?.facts.stateTimestamp ?? null;
  }

  /** Throws `NON_EMPTY_GROUP`. A group that is not there may go too. */
  remove(groupId: string): void {
    this.checkEmpty(groupId);
    this.#groups.get(groupId)?.close(new GroupError("GROUP_ID_NOT_FOUND", `group "${groupId}" was deleted`));
    this.#groups.delete(groupId);
  }

  checkEmpty(groupId: string): void {
    const group = this.#groups.get(groupId);
    if (group === undefined || group.facts.state === "Empty") return;
    throw nonEmpty(groupId, group.facts.state, group.memberCount);
  }

  /** Rejects every waiting call with `LOG_CLOSED` and lets go of every timer. Nothing is written. */
  close(): void {
    this.#closed = new UsageError("LOG_CLOSED", "the log was closed");
    for (const group of this.#groups.values()) group.close(this.#closed);
    this.#groups.clear();
  }

  #open(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
  }

  #groupOf(request: Pick<MemberIdentity, "groupId" | "memberId">): Group {
    const group = this.#groups.get(request.groupId);
    if (group === undefined) throw this.#unknownGroup(request);
    return group;
  }

  #unknownGroup({ groupId, memberId }: Pick<MemberIdentity, "groupId" | "memberId">): GroupError {
    return new GroupError("UNKNOWN_MEMBER_ID", `there is no group "${groupId}", so "${memberId}" is no member of it: join first`);
  }
}

function checkJoin({ groupId, sessionTimeoutMs, rebalanceTimeoutMs }: JoinGroupRequest): void {
  if (typeof groupId !== "string" || groupId === "") {
    throw new GroupError("INVALID_GROUP_ID", `groupId: expected a string that is not empty, found ${JSON.stringify(groupId)}`);
  }
  const sessionFits =
    sessionTimeoutMs === null || (sessionTimeoutMs >= SESSION_TIMEOUT_MS_MIN && sessionTimeoutMs <= SESSION_TIMEOUT_MS_MAX);
  if (!sessionFits) {
    const expected = `${SESSION_TIMEOUT_MS_MIN} to ${SESSION_TIMEOUT_MS_MAX} ms`;
    throw new GroupError(
      "INVALID_SESSION_TIMEOUT",
      `group "${groupId}": expected a session timeout of ${expected}, found ${sessionTimeoutMs}`,
    );
  }
  if (!(rebalanceTimeoutMs > 0)) {
    throw new UsageError("INVALID_ARGUMENT", `group "${groupId}": expected a rebalance timeout above 0 ms, found ${rebalanceTimeoutMs}`);
  }
}
