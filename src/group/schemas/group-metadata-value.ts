/** The value of a group: Kafka's GroupMetadataValue, written as version 3, read from 0 to 4. */
import type { Bytes } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { OdradekError } from "../../base/errors.ts";
import type { GroupMetadata, GroupMetadataMember } from "../group-metadata.ts";

//  0         2
//  ├ version ┼ protocol type ┼ generation: int32 ┼ protocol | null ┼ leader | null
//  v2+ ┼ state timestamp: int64 ┼ members: array of
//      { member id ┼ v3+ instance id | null ┼ client id ┼ client host ┼ v1+ rebalance timeout: int32
//        ┼ session timeout: int32 ┼ subscription: bytes ┼ assignment: bytes }
//  v4: compact strings, bytes and arrays, and tags after every struct.
const VERSION_WRITTEN = 3;
const VERSION_HIGHEST = 4;
const INT32_MAX = 2 ** 31 - 1;
/** Four strings and byte fields of one byte each, two int32, no tags: the least a member takes, in version 4. */
const MEMBER_BYTE_LENGTH_MIN = 12;

export function encodeGroupValue(group: GroupMetadata): Bytes {
  const writer = new ByteWriter(256).int16(VERSION_WRITTEN).string(group.protocolType).int32(group.generation);
  writer.nullableString(group.protocolName).nullableString(group.leader).int64(group.stateTimestamp);
  writer.int32(group.members.length);
  for (const member of group.members) {
    writer.string(member.memberId).nullableString(member.groupInstanceId).string(member.clientId).string(member.clientHost);
    // A timeout may be Infinity here; Kafka's field ends at 24 days.
    writer.int32(Math.min(member.rebalanceTimeoutMs, INT32_MAX)).int32(member.sessionTimeoutMs);
    writer.bytes(member.subscription).bytes(member.assignment);
  }
  return writer.finish();
}

/** Throws `INVALID_RECORD` for bytes that are none, and `UNSUPPORTED_VERSION` for a version we have not seen. */
export function decodeGroupValue(bytes: Uint8Array): GroupMetadata {
  const reader = new ByteReader(bytes, "GroupMetadataValue");
  const version = reader.int16();
  if (version < 0 || version > VERSION_HIGHEST) {
    throw new OdradekError("UNSUPPORTED_VERSION", `GroupMetadataValue: expected version 0 to ${VERSION_HIGHEST}, found ${version}`);
  }
  const flexible = version >= 4;
  const nullableString = (): string | null => (flexible ? reader.nullableCompactString() : reader.nullableString());
  const protocolType = flexible ? reader.compactString() : reader.string();
  const generation = reader.int32();
  const protocolName = nullableString();
  const leader = nullableString();
  const stateTimestamp = version >= 2 ? reader.int64AsNumber() : -1;
  const members: GroupMetadataMember[] = [];
  const count = flexible ? reader.compactArrayCount(MEMBER_BYTE_LENGTH_MIN) : reader.arrayCount(MEMBER_BYTE_LENGTH_MIN);
  while (members.length < count) members.push(decodeMember(reader, version));
  return { protocolType, generation, protocolName, leader, stateTimestamp, members };
}

function decodeMember(reader: ByteReader, version: number): GroupMetadataMember {
  const flexible = version >= 4;
  const string = (): string => (flexible ? reader.compactString() : reader.string());
  const bytes = (): Bytes => (flexible ? reader.compactBytes() : reader.bytes());
  const memberId = string();
  const groupInstanceId = flexible ? reader.nullableCompactString() : version >= 3 ? reader.nullableString() : null;
  const clientId = string();
  const clientHost = string();
  const timeoutMs = reader.int32();
  const member: GroupMetadataMember = {
    memberId,
    groupInstanceId,
    clientId,
    clientHost,
    // Before version 1 the session timeout served for both.
    rebalanceTimeoutMs: timeoutMs,
    sessionTimeoutMs: version >= 1 ? reader.int32() : timeoutMs,
    subscription: bytes(),
    assignment: bytes(),
  };
  if (flexible) reader.skipTaggedFields();
  return member;
}
