/** The keys of `__consumer_offsets`: an int16 that says what the record is, then of what. */
import type { Bytes } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";

//  0      2
//  ├ 0, 1 ┼ group: string ┼ topic: string ┼ partition: int32      an offset
//  ├ 2    ┼ group: string                                         a group of the classic protocol
//  ├ 3 …  ┼ what the newer protocols keep of theirs               not ours
const OFFSET_VERSION = 1;
const GROUP_VERSION = 2;

export type RecordKey =
  | { readonly kind: "offset"; readonly groupId: string; readonly topic: string; readonly partition: number }
  | { readonly kind: "group"; readonly groupId: string }
  /** Of a type we do not keep: left as it is. */
  | { readonly kind: "other"; readonly version: number };

export function encodeOffsetKey(groupId: string, topic: string, partition: number): Bytes {
  return new ByteWriter().int16(OFFSET_VERSION).string(groupId).string(topic).int32(partition).finish();
}

export function encodeGroupKey(groupId: string): Bytes {
  return new ByteWriter().int16(GROUP_VERSION).string(groupId).finish();
}

/** Throws `INVALID_RECORD` for a key of a type we know that is not made as such. */
export function decodeKey(key: Uint8Array): RecordKey {
  const reader = new ByteReader(key, "key in __consumer_offsets");
  const version = reader.int16();
  if (version === 0 || version === 1)
    return { kind: "offset", groupId: reader.string(), topic: reader.string(), partition: reader.int32() };
  if (version === GROUP_VERSION) return { kind: "group", groupId: reader.string() };
  return { kind: "other", version };
}
