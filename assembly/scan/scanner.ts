/** Walks whole batches: finds where each begins, and where and why the bytes stop being batches. */
import { ARENA_END, READ_WINDOW_AT, SCAN_TABLE_AT, SCAN_TABLE_BYTE_LENGTH, WINDOW_BYTE_LENGTH } from "../memory/arena";
import { loadI32, loadI64 } from "../memory/bytes";
import { answer32 } from "../memory/mailbox";
import { Fault, must } from "../panic/fault";
import { extend } from "../checksum/crc32c";
import { CODEC_MASK } from "../record/attributes";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BATCH_LENGTH_MIN,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  OLDEST_LENGTH_MIN,
  RECORD_BYTE_LENGTH_MIN,
  RECORD_COUNT_AT,
  SAFE_INTEGER_MAX,
} from "../record/layout";

const enum Stop {
  END = 0,
  ZERO = 1,
  PARTIAL = 2,
  LENGTH = 3,
  MAGIC = 4,
  CHECKSUM = 5,
  OFFSET = 6,
}

const STOP_SLOT = 0;
const STOP_POSITION_SLOT = 1;
const NEEDED_SLOT = 2;
const STORED_CHECKSUM_SLOT = 3;
const COMPUTED_CHECKSUM_SLOT = 4;

/** The first `byteLength` bytes of the read window. Answers the number of batches; their positions are in the scan table. */
export function scanWindow(byteLength: i32, verifyChecksums: bool): i32 {
  must(byteLength >= 0 && <usize>byteLength <= WINDOW_BYTE_LENGTH, Fault.RANGE);
  let position = 0;
  let count = 0;
  let offsetMin: i64 = 0;
  let stop: i32 = Stop.END;
  let needed = 0;
  while (position < byteLength) {
    const at = READ_WINDOW_AT + <usize>position;
    const left = byteLength - position;
    stop = Stop.PARTIAL;
    needed = 0;
    if (left < <i32>LENGTH_OVERHEAD) break;

    const length = loadI32(at + LENGTH_AT);
    if (length == 0) {
      stop = Stop.ZERO;
      break;
    }
    if (length < OLDEST_LENGTH_MIN || length > i32.MAX_VALUE - <i32>LENGTH_OVERHEAD) {
      stop = Stop.LENGTH;
      break;
    }
    const batchByteLength = length + <i32>LENGTH_OVERHEAD;
    needed = batchByteLength;
    if (left <= <i32>MAGIC_AT) break;
    if (load<u8>(at + MAGIC_AT) != MAGIC_V2) {
      stop = Stop.MAGIC;
      break;
    }
    if (length < BATCH_LENGTH_MIN) {
      stop = Stop.LENGTH;
      break;
    }
    if (batchByteLength > left) break;

    if (verifyChecksums) {
      const stored = <u32>loadI32(at + CRC_AT);
      const computed = extend(0, at + ATTRIBUTES_AT, batchByteLength - <i32>ATTRIBUTES_AT);
      if (stored != computed) {
        answer32(STORED_CHECKSUM_SLOT, <i32>stored);
        answer32(COMPUTED_CHECKSUM_SLOT, <i32>computed);
        stop = Stop.CHECKSUM;
        break;
      }
    }

    const baseOffset = loadI64(at + BASE_OFFSET_AT);
    const lastOffsetDelta = loadI32(at + LAST_OFFSET_DELTA_AT);
    if (baseOffset < offsetMin || lastOffsetDelta < 0 || baseOffset > SAFE_INTEGER_MAX - <i64>lastOffsetDelta) {
      stop = Stop.OFFSET;
      break;
    }
    const recordCount = loadI32(at + RECORD_COUNT_AT);
    const isPlain = (<i32>load<u8>(at + ATTRIBUTES_AT + 1) & CODEC_MASK) == 0;
    if (recordCount < 0 || (isPlain && recordCount > (batchByteLength - <i32>HEADER_BYTE_LENGTH) / RECORD_BYTE_LENGTH_MIN)) {
      stop = Stop.LENGTH;
      break;
    }

    must(<usize>count < SCAN_TABLE_BYTE_LENGTH >> 2, Fault.SCAN_TABLE_FULL);
    store<i32>(SCAN_TABLE_AT + (<usize>count << 2), position);
    count++;
    offsetMin = baseOffset + <i64>lastOffsetDelta + 1;
    position += batchByteLength;
    stop = Stop.END;
  }
  must(READ_WINDOW_AT + <usize>position <= ARENA_END, Fault.RANGE);
  answer32(STOP_SLOT, stop);
  answer32(STOP_POSITION_SLOT, position);
  answer32(NEEDED_SLOT, stop == Stop.PARTIAL ? needed : 0);
  return count;
}
