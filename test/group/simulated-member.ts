/** A consumer as far as its group can tell: joins, deals if it leads, syncs, beats, and is told to leave, crash or hang. */
import type { JoinGroupResponse } from "../../src/api/broker.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { GroupCoordinator } from "../../src/group/coordinator.ts";
import { MemberIdRequiredError } from "../../src/group/member-id.ts";
import { GROUP, JOIN, text, untext } from "./group-world.ts";

export interface MemberKind {
  /** null: of this process. */
  readonly sessionTimeoutMs: number | null;
  readonly rebalanceTimeoutMs: number;
  readonly groupInstanceId: string | null;
  /** How long a record in hand keeps it from joining a rebalance, twice; two that are always slow put each other out for ever. */
  readonly busyMs: number;
}

export const PARTITION_COUNT = 7;

export class SimulatedMember {
  readonly kind: MemberKind;
  readonly #coordinator: GroupCoordinator;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  state: "running" | "hung" | "crashed" | "left" = "running";
  memberId = "";
  generation = -1;
  /** What it believes it may read; empty while it joins. */
  held: readonly number[] = [];
  #busyLeft = 2;
  /** Every assignment it was ever given. */
  readonly given: { readonly memberId: string; readonly generation: number; readonly partitions: readonly number[] }[] = [];

  constructor(coordinator: GroupCoordinator, clock: Clock, kind: MemberKind) {
    this.#coordinator = coordinator;
    this.#clock = clock;
    this.kind = kind;
    void this.#run();
  }

  /** Whatever it was about to do, it does no more; its calls stay where they are, as of a process that is stopped. */
  hang(): void {
    this.state = "hung";
  }

  /** As a process that dies: its calls end with it. */
  crash(): void {
    this.state = "crashed";
    this.#end.abort(new Error("crashed"));
  }

  async leave(): Promise<void> {
    this.state = "left";
    this.held = [];
    const { memberId } = this;
    this.#end.abort(new Error("leaving"));
    if (memberId === "") return;
    await this.#coordinator.leaveGroup({ groupId: GROUP, members: [{ memberId, groupInstanceId: null }] }).catch(() => {});
  }

  commit(): void {
    const { memberId, generation } = this;
    this.#coordinator.checkCommit({ groupId: GROUP, memberId, groupInstanceId: this.kind.groupInstanceId, generation });
  }

  async #run(): Promise<void> {
    while (this.state === "running") {
      try {
        const joined = await this.#join();
        await this.#member(joined);
      } catch (error) {
        this.#recover(error);
      }
    }
  }

  async #join(): Promise<JoinGroupResponse> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId } = this.kind;
    const request = { ...JOIN, memberId: this.memberId, sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId };
    return this.#coordinator.joinGroup(request, this.#end.signal, { requireKnownMemberId: sessionTimeoutMs !== null });
  }

  async #member({ memberId, generation, members, leader }: JoinGroupResponse): Promise<void> {
    if (this.state !== "running") return;
    this.memberId = memberId;
    this.generation = generation;
    const groupInstanceId = this.kind.groupInstanceId;
    const identity = { groupId: GROUP, memberId, groupInstanceId, generation };
    const shares = members.map((member, index) => ({
      memberId: member.memberId,
      assignment: text(partitionsOf(index, members.length).join(",")),
    }));
    const { assignment } = await this.#coordinator.syncGroup(
      { ...identity, assignments: leader === memberId ? shares : [] },
      this.#end.signal,
    );
    if (this.state !== "running") return;
    this.held = untext(assignment)
      .split(",")
      .filter((part) => part !== "")
      .map(Number);
    this.given.push({ memberId, generation, partitions: this.held });
    for (;;) {
      const { rebalanceInProgress } = await this.#coordinator.heartbeat({ ...identity, maxWaitMs: 2000 }, this.#end.signal);
      if (this.state !== "running") return;
      if (rebalanceInProgress) break;
    }
    if (this.kind.busyMs > 0 && this.#busyLeft-- > 0) await new Promise<void>((resolve) => this.#clock.after(this.kind.busyMs, resolve));
    this.held = [];
  }

  #recover(error: unknown): void {
    if (this.state !== "running") return;
    this.held = [];
    const { code } = error as { code?: string };
    if (error instanceof MemberIdRequiredError) this.memberId = error.memberId;
    else if (code === "UNKNOWN_MEMBER_ID") this.memberId = "";
    // Someone took its place: a static member that is fenced gives up.
    else if (code === "FENCED_INSTANCE_ID") this.crash();
    else if (code !== "REBALANCE_IN_PROGRESS" && code !== "ILLEGAL_GENERATION") throw error;
  }
}

/** Neighbouring partitions, as `range` deals them. */
function partitionsOf(index: number, memberCount: number): number[] {
  return Array.from({ length: PARTITION_COUNT }, (_, partition) => partition).filter((partition) => partition % memberCount === index);
}
