/** What a group answers to a call it refuses: Kafka's codes, with what was expected and found. */
import type { JoinGroupRequest } from "../api/broker.ts";
import type { GroupState } from "../api/group.ts";
import { GroupError } from "../base/errors.ts";
import type { GroupMember } from "./member.ts";

export function rebalancing(groupId: string): GroupError {
  return new GroupError("REBALANCE_IN_PROGRESS", `group "${groupId}" is rebalancing: join again`);
}

export function superseded(groupId: string, member: GroupMember, call: string): GroupError {
  return new GroupError("REBALANCE_IN_PROGRESS", `group "${groupId}": a newer ${call} of "${member.memberId}" took this one's place`);
}

export function staleGeneration(groupId: string, memberId: string, found: number, expected: number): GroupError {
  return new GroupError(
    "ILLEGAL_GENERATION",
    `group "${groupId}" is at generation ${expected}, "${memberId}" speaks for generation ${found}`,
  );
}

/** Kafka's code for one who commits and is no member. */
export function outsideCommit(groupId: string, state: GroupState, memberCount: number): GroupError {
  const message = `${atWork(groupId, state, memberCount)}: its offsets are set from outside only while it has none; its members must leave first`;
  return new GroupError("UNKNOWN_MEMBER_ID", message);
}

export function nonEmpty(groupId: string, state: GroupState, memberCount: number): GroupError {
  return new GroupError("NON_EMPTY_GROUP", `${atWork(groupId, state, memberCount)}; its members must leave first`);
}

function atWork(groupId: string, state: GroupState, memberCount: number): string {
  return `group "${groupId}" is ${state} and has ${memberCount} member${memberCount === 1 ? "" : "s"}`;
}

export function inconsistent(
  groupId: string,
  request: JoinGroupRequest,
  protocolType: string,
  common: ReadonlySet<string> | null,
): GroupError {
  const expected = common === null ? "a protocol type and at least one protocol" : `type "${protocolType}" with one of ${quoted(common)}`;
  const found = `type "${request.protocolType}" with ${quoted(request.protocols.map(({ name }) => name))}`;
  return new GroupError("INCONSISTENT_GROUP_PROTOCOL", `group "${groupId}": expected ${expected}, found ${found}`);
}

function quoted(names: Iterable<string>): string {
  return JSON.stringify([...names]);
}
