/** One member of a group: what it told of itself, what it was given, and the calls it has waiting. */
import type { JoinGroupRequest, JoinGroupResponse } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { Timer } from "../base/clock.ts";
import type { GroupMetadataMember } from "./group-metadata.ts";
import type { Waiter } from "./waiter.ts";

export const NO_BYTES: Bytes = new Uint8Array(0);

export interface GroupMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  clientId: string;
  clientHost: string;
  /** null: in this process. No session ends it, and it does not outlive the process. */
  sessionTimeoutMs: number | null;
  rebalanceTimeoutMs: number;
  protocols: JoinGroupRequest["protocols"];
  assignment: Bytes;
  /** Whether its sync has come, or none is expected of it in this generation. */
  synced: boolean;
  joining: Waiter<JoinGroupResponse> | null;
  syncing: Waiter<{ readonly assignment: Bytes }> | null;
  beating: Waiter<{ readonly rebalanceInProgress: boolean }> | null;
  sessionTimer: Timer | null;
  /** Monotonic; kept by `Sessions`. */
  sessionEndsAtMs: number;
}

export function newMember(memberId: string, request: JoinGroupRequest, clientHost: string): GroupMember {
  return {
    memberId,
    groupInstanceId: request.groupInstanceId,
    clientId: request.clientId,
    clientHost,
    sessionTimeoutMs: request.sessionTimeoutMs,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    protocols: request.protocols,
    assignment: NO_BYTES,
    synced: false,
    joining: null,
    syncing: null,
    beating: null,
    sessionTimer: null,
    sessionEndsAtMs: 0,
  };
}

/** A member as a restart finds it: it holds its assignment and is expected to be heard of. */
export function restoredMember(kept: GroupMetadataMember, groupId: string, protocolType: string, protocolName: string): GroupMember {
  const protocols = [{ name: protocolName, metadata: kept.subscription }];
  const rebalanceTimeoutMs = kept.rebalanceTimeoutMs > 0 ? kept.rebalanceTimeoutMs : kept.sessionTimeoutMs;
  const member = newMember(kept.memberId, { ...kept, rebalanceTimeoutMs, groupId, protocolType, protocols }, kept.clientHost);
  member.assignment = kept.assignment;
  member.synced = true;
  return member;
}

export function updateMember(member: GroupMember, request: JoinGroupRequest, clientHost: string | undefined): void {
  member.protocols = request.protocols;
  member.clientId = request.clientId;
  member.clientHost = clientHost ?? member.clientHost;
  member.rebalanceTimeoutMs = request.rebalanceTimeoutMs;
  member.sessionTimeoutMs = request.sessionTimeoutMs;
}

export function isRemote(member: GroupMember): boolean {
  return member.sessionTimeoutMs !== null;
}

/** What the member said under this protocol; empty when it did not name it. */
export function metadataOf(member: GroupMember, protocolName: string | null): Bytes {
  return member.protocols.find(({ name }) => name === protocolName)?.metadata ?? NO_BYTES;
}

/** Whether a request repeats what the member said before, byte for byte. */
export function saysTheSame(member: GroupMember, protocols: JoinGroupRequest["protocols"]): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every(({ name, metadata }, index) => {
      const other = protocols[index];
      return other !== undefined && other.name === name && bytesEqual(metadata, other.metadata);
    })
  );
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}

/** Rejects whatever the member has waiting. */
export function endCalls(member: GroupMember, error: Error): void {
  member.joining?.reject(error);
  member.syncing?.reject(error);
  member.beating?.reject(error);
}
