/** What a group answers to a call it refuses: Kafka's codes, with what was expected and found. */
import type { JoinGroupRequest } from "../api/broker.ts";
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

export function outsideCommit(groupId: string, memberCount: number): GroupError {
  const message = `group "${groupId}" has ${memberCount} member(s): a commit from outside it is let in only while it has none`;
  return new GroupError("UNKNOWN_MEMBER_ID", message);
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
