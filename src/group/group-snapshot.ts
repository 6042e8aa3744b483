/** A group as others see it: the answer to a join, the description for a person, the record for a restart. */
import type { GroupSnapshot, JoinGroupResponse } from "../api/broker.ts";
import type { GroupState } from "../api/group.ts";
import type { GroupMetadata, GroupMetadataMember } from "./group-metadata.ts";
import { type GroupMember, metadataOf } from "./member.ts";
import type { MemberTable } from "./member-table.ts";

export interface GroupFacts extends Omit<GroupMetadata, "members" | "leader"> {
  readonly groupId: string;
  readonly state: GroupState;
}

/** The leader is told everyone and what each said; the others, nobody. */
export function joinAnswer(member: GroupMember, facts: GroupFacts, members: MemberTable): JoinGroupResponse {
  const told = member.memberId === members.leaderId ? [...members] : [];
  return {
    memberId: member.memberId,
    generation: facts.generation,
    protocolName: facts.protocolName ?? "",
    // Whoever is answered is a member, so there is one who leads.
    leader: members.leaderId as string,
    members: told.map((each) => ({
      memberId: each.memberId,
      groupInstanceId: each.groupInstanceId,
      metadata: metadataOf(each, facts.protocolName),
    })),
  };
}

export function describedGroup(facts: GroupFacts, members: MemberTable): GroupSnapshot {
  return {
    groupId: facts.groupId,
    state: facts.state,
    generation: facts.generation,
    protocolType: facts.protocolType,
    protocolName: facts.protocolName,
    members: [...members].map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      metadata: metadataOf(member, facts.protocolName),
      assignment: member.assignment,
    })),
  };
}

export function keptGroup(facts: GroupFacts, members: MemberTable): GroupMetadata {
  return {
    protocolType: facts.protocolType,
    generation: facts.generation,
    protocolName: facts.protocolName,
    leader: members.leaderId,
    stateTimestamp: facts.stateTimestamp,
    members: [...members].map(
      (member): GroupMetadataMember => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs ?? -1,
        subscription: metadataOf(member, facts.protocolName),
        assignment: member.assignment,
      }),
    ),
  };
}
