/** Recognises a message of Kafka before 0.11 (magic 0 and 1), which is refused by name and never taken for a torn tail. */
import type { StorageFile } from "../../api/storage-driver.ts";
import { viewOf } from "./batch-header.ts";

//  0        8      12    16      17
//  ├ offset ┼ size ┼ crc ┼ magic ┼ …      crc: CRC-32 (IEEE) from magic to the end
const SIZE_AT = 8;
const CRC_AT = 12;
const MAGIC_AT = 16;
/** Magic, attributes, key length, value length. */
const SIZE_MIN = 14;

/** The checksum decides: torn bytes have a magic of 0 as well. */
export function isOlderMessage(file: StorageFile, position: number, end: number): boolean {
  const head = new Uint8Array(MAGIC_AT + 1);
  if (file.readAt(head, position) < head.length) return false;
  const view = viewOf(head);
  const size = view.getInt32(SIZE_AT);
  if (view.getUint8(MAGIC_AT) > 1 || size < SIZE_MIN || position + CRC_AT + size > end) return false;
  const rest = new Uint8Array(size - 4);
  if (file.readAt(rest, position + MAGIC_AT) < rest.length) return false;
  return crc32(rest) === view.getUint32(CRC_AT);
}

/** Bit by bit: it runs once, on the way to a refusal. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let index = 0; index < bytes.length; index += 1) {
    crc ^= bytes[index] as number;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
