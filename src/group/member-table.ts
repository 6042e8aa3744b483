/** The members of one group in the order they came, who leads them, and what protocol they can agree on. */
import type { JoinGroupRequest, MemberIdentity } from "../api/broker.ts";
import { GroupError } from "../base/errors.ts";
import { inconsistent } from "./group-errors.ts";
import type { GroupMember } from "./member.ts";

/** Why members are no longer here, told to those that come back: the last of them, per group. */
const DEPARTURES_KEPT_MAX = 128;

export class MemberTable {
  readonly #groupId: string;
  readonly #members = new Map<string, GroupMember>();
  readonly #memberIdOfInstance = new Map<string, string>();
  readonly #departures = new Map<string, string>();
  leaderId: string | null = null;

  constructor(groupId: string) {
    this.#groupId = groupId;
  }

  get size(): number {
    return this.#members.size;
  }

  [Symbol.iterator](): IterableIterator<GroupMember> {
    return this.#members.values();
  }

  get(memberId: string): GroupMember | undefined {
    return this.#members.get(memberId);
  }

  has(member: GroupMember): boolean {
    return this.#members.get(member.memberId) === member;
  }

  staticMember(groupInstanceId: string): GroupMember | undefined {
    return this.#members.get(this.#memberIdOfInstance.get(groupInstanceId) ?? "");
  }

  some(test: (member: GroupMember) => boolean): boolean {
    for (const member of this.#members.values()) if (test(member)) return true;
    return false;
  }

  /** Throws `FENCED_INSTANCE_ID` when the instance id has a newer member, `UNKNOWN_MEMBER_ID` when there is none. */
  require({ memberId, groupInstanceId }: Pick<MemberIdentity, "memberId" | "groupInstanceId">): GroupMember {
    if (groupInstanceId !== null) {
      const current = this.#memberIdOfInstance.get(groupInstanceId);
      if (current !== undefined && current !== memberId) throw this.fenced(memberId, groupInstanceId);
    }
    const member = this.#members.get(memberId);
    if (member !== undefined && (groupInstanceId === null || member.groupInstanceId === groupInstanceId)) return member;
    throw this.unknown(memberId);
  }

  /** As `require`, but a static member may be named by its instance id alone. */
  named(identity: Pick<MemberIdentity, "memberId" | "groupInstanceId">): GroupMember {
    const { memberId, groupInstanceId } = identity;
    if (memberId !== "" || groupInstanceId === null) return this.require(identity);
    const member = this.staticMember(groupInstanceId);
    if (member === undefined) throw this.unknown(groupInstanceId);
    return member;
  }

  add(member: GroupMember): void {
    this.#members.set(member.memberId, member);
    if (member.groupInstanceId !== null) this.#memberIdOfInstance.set(member.groupInstanceId, member.memberId);
    this.leaderId ??= member.memberId;
  }

  remove(member: GroupMember, reason: string): void {
    this.#members.delete(member.memberId);
    if (member.groupInstanceId !== null) this.#memberIdOfInstance.delete(member.groupInstanceId);
    if (this.leaderId === member.memberId) this.leaderId = this.#members.keys().next().value ?? null;
    this.#noteDeparture(member.memberId, reason);
  }

  /** The successor of a static member stands where it stood, leading if it led. */
  replace(old: GroupMember, successor: GroupMember): void {
    const led = this.leaderId === old.memberId;
    const rest = [...this.#members.values()].map((member) => (member === old ? successor : member));
    this.#members.clear();
    for (const member of rest) this.#members.set(member.memberId, member);
    this.#memberIdOfInstance.set(successor.groupInstanceId as string, successor.memberId);
    if (led) this.leaderId = successor.memberId;
    this.#noteDeparture(old.memberId, `"${successor.memberId}" took its place as the same static member`);
  }

  rebalanceTimeoutMsMax(): number {
    let longest = 0;
    for (const member of this) longest = Math.max(longest, member.rebalanceTimeoutMs);
    return longest;
  }

  /** Throws `INCONSISTENT_GROUP_PROTOCOL` unless who asks (in the place of `self`, if it is here already) could agree with the others. */
  checkProtocols(request: JoinGroupRequest, protocolType: string, self: GroupMember | undefined): void {
    const common = this.#commonProtocols(self);
    const typeFits = request.protocolType !== "" && (common === null || request.protocolType === protocolType);
    if (typeFits && request.protocols.some(({ name }) => common === null || common.has(name))) return;
    throw inconsistent(this.#groupId, request, protocolType, common);
  }

  /** Each member votes for the first protocol it names that all know; the leader's order settles a tie. */
  electProtocol(): string {
    const common = this.#commonProtocols() as Set<string>;
    const votes = new Map<string, number>();
    // The leader's protocols go in first, so that they are met first.
    const { protocols } = this.#members.get(this.leaderId as string) as GroupMember;
    for (const { name } of protocols) if (common.has(name)) votes.set(name, 0);
    for (const member of this) {
      // Joins without a common protocol are refused at the door.
      const { name } = member.protocols.find((each) => common.has(each.name)) as { readonly name: string };
      // What all know the leader knows.
      votes.set(name, (votes.get(name) as number) + 1);
    }
    return [...votes].reduce((elected, each) => (each[1] > elected[1] ? each : elected))[0];
  }

  unknown(memberId: string): GroupError {
    const reason = this.#departures.get(memberId) ?? "it never joined, or long ago";
    return new GroupError("UNKNOWN_MEMBER_ID", `group "${this.#groupId}" has no member "${memberId}": ${reason}`);
  }

  fenced(memberId: string, groupInstanceId: string): GroupError {
    const current = this.#memberIdOfInstance.get(groupInstanceId);
    const found = `"${memberId}" speaks for instance "${groupInstanceId}", which "${current}" has taken over`;
    return new GroupError("FENCED_INSTANCE_ID", `group "${this.#groupId}": ${found}`);
  }

  /** Protocols that every member (but one, if given) names. null: there is nobody to disagree. */
  #commonProtocols(except?: GroupMember): Set<string> | null {
    let common: Set<string> | null = null;
    for (const member of this) {
      if (member === except) continue;
      const names = new Set(member.protocols.map(({ name }) => name));
      if (common === null) common = names;
      else for (const name of common) if (!names.has(name)) common.delete(name);
    }
    return common;
  }

  #noteDeparture(memberId: string, reason: string): void {
    this.#departures.set(memberId, reason);
    if (this.#departures.size > DEPARTURES_KEPT_MAX) this.#departures.delete(this.#departures.keys().next().value as string);
  }
}
