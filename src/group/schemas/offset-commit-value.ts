/** The value of a committed offset: Kafka's OffsetCommitValue, written as version 3, read from 0 to 4. */
import type { Bytes } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import { OdradekError } from "../../base/errors.ts";

//  0         2        10             14
//  ├ version ┼ offset ┼ leader epoch ┼ metadata: string ┼ commit timestamp: int64
//  The leader epoch stands in v3 and up; v1 alone ends with an expire timestamp, int64; v4 has compact strings and tags.
const VERSION_WRITTEN = 3;
const VERSION_HIGHEST = 4;

export interface StoredOffset {
  readonly nextOffset: number;
  /** -1: not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly commitTimestamp: number;
  /** When it expires, whatever the group does; -1: by the rules. Only version 1 knows it. */
  readonly expireTimestamp: number;
}

export function encodeOffsetValue(value: Omit<StoredOffset, "expireTimestamp">): Bytes {
  const writer = new ByteWriter().int16(VERSION_WRITTEN).int64(value.nextOffset).int32(value.leaderEpoch);
  return writer.string(value.metadata).int64(value.commitTimestamp).finish();
}

/** Throws `INVALID_RECORD` for bytes that are none, and `UNSUPPORTED_VERSION` for a version we have not seen. */
export function decodeOffsetValue(bytes: Uint8Array): StoredOffset {
  const reader = new ByteReader(bytes, "OffsetCommitValue");
  const version = reader.int16();
  if (version < 0 || version > VERSION_HIGHEST) {
    throw new OdradekError("UNSUPPORTED_VERSION", `OffsetCommitValue: expected version 0 to ${VERSION_HIGHEST}, found ${version}`);
  }
  const nextOffset = reader.int64AsNumber();
  if (!Number.isSafeInteger(nextOffset) || nextOffset < 0) {
    throw new OdradekError("INVALID_RECORD", `OffsetCommitValue: expected an offset of 0 to 2^53-1, found ${nextOffset}`);
  }
  return {
    nextOffset,
    leaderEpoch: version >= 3 ? reader.int32() : -1,
    metadata: version >= 4 ? reader.compactString() : reader.string(),
    commitTimestamp: reader.int64AsNumber(),
    expireTimestamp: version === 1 ? reader.int64AsNumber() : -1,
  };
}
