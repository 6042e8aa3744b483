/** A coordinator with a clock of its own, and short ways to speak to it. */
import type { JoinGroupRequest, JoinGroupResponse } from "../../src/api/broker.ts";
import { GroupCoordinator } from "../../src/group/coordinator.ts";
import type { JoinOptions } from "../../src/group/group-environment.ts";
import type { GroupMetadata } from "../../src/group/group-metadata.ts";
import { ManualClock, settled } from "../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

export const GROUP = "g";
export const text = (value: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(value));
export const untext = (value: Uint8Array): string => Buffer.from(value).toString();

export class World {
  readonly clock = new ManualClock();
  readonly saved: GroupMetadata[] = [];
  readonly events: { readonly type: string; readonly reason?: unknown }[] = [];
  /** What the next save does. */
  save: () => Promise<void> = () => Promise.resolve();
  readonly coordinator: GroupCoordinator;

  constructor(seed: number | string = 1) {
    this.coordinator = new GroupCoordinator({
      clock: this.clock,
      random: new SeededRandom(seed),
      save: (_groupId, metadata) => {
        this.saved.push(metadata);
        return this.save();
      },
      emit: (type, fields) => this.events.push({ type, ...fields }),
    });
  }

  get group() {
    const group = this.coordinator.describe(GROUP);
    if (group === null) throw new Error("no group");
    return group;
  }

  join(
    request: Partial<JoinGroupRequest> = {},
    remote: Omit<JoinOptions, "signal"> = {},
    signal?: AbortSignal,
  ): Promise<JoinGroupResponse> {
    return this.coordinator.joinGroup({ ...JOIN, ...request }, signal, remote);
  }

  /** The leader's sync gives everyone its own name. */
  async sync(answer: JoinGroupResponse, groupInstanceId: string | null = null): Promise<string> {
    const { memberId, generation } = answer;
    const assignments = answer.members.map((member) => ({ memberId: member.memberId, assignment: text(`for ${member.memberId}`) }));
    return untext((await this.coordinator.syncGroup({ groupId: GROUP, memberId, groupInstanceId, generation, assignments })).assignment);
  }

  beat({ memberId, generation }: JoinGroupResponse, maxWaitMs = 0, groupInstanceId: string | null = null, signal?: AbortSignal) {
    return this.coordinator.heartbeat({ groupId: GROUP, memberId, groupInstanceId, generation, maxWaitMs }, signal);
  }

  leave(memberId: string, groupInstanceId: string | null = null): Promise<void> {
    return this.coordinator.leaveGroup({ groupId: GROUP, members: [{ memberId, groupInstanceId }] });
  }

  commit({ memberId, generation }: { memberId: string; generation: number }, groupInstanceId: string | null = null): void {
    this.coordinator.checkCommit({ groupId: GROUP, memberId, groupInstanceId, generation });
  }

  /** A stable group of `count` members of this process, the leader first. */
  async stable(count: number, request: Partial<JoinGroupRequest> = {}): Promise<JoinGroupResponse[]> {
    let members = [await this.join(request)];
    while (members.length < count) {
      // The newcomer first: it makes the group rebalance, which those before it then join.
      const newcomer = this.join(request);
      const again = members.map(({ memberId }) => this.join({ ...request, memberId }));
      members = await Promise.all([...again, newcomer]);
    }
    await Promise.all(members.map((member) => this.sync(member)));
    return members;
  }
}

export const JOIN: JoinGroupRequest = {
  groupId: GROUP,
  memberId: "",
  groupInstanceId: null,
  clientId: "app",
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: text("topics") }],
  sessionTimeoutMs: null,
  rebalanceTimeoutMs: 60_000,
};

export const REMOTE = { sessionTimeoutMs: 10_000 } as const;

/** Whether a promise has settled, once everything that can run without time has. */
export async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  let waiting = true;
  const done = (): void => {
    waiting = false;
  };
  promise.then(done, done);
  await settled();
  return waiting;
}
