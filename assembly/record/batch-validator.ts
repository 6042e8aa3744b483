/** Checks a produced batch wholly, in as many chunks as it takes: header, checksum, every record's framing, offsets and timestamps. */
import { loadI32, loadI64 } from "../memory/bytes";
import { answer32, answerNumber } from "../memory/mailbox";
import { readVarint, readVarlong, varintEnd } from "../memory/varint";
import { Fault, must, mustBeInMemory } from "../panic/fault";
import { extend } from "../checksum/crc32c";
import { LOG_APPEND_TIME, TRANSACTIONAL } from "./attributes";
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  CRC_AT,
  HEADER_BYTE_LENGTH,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LENGTH_OVERHEAD,
  MAGIC_AT,
  MAGIC_V2,
  MAX_TIMESTAMP_AT,
  RECORD_BYTE_LENGTH_MIN,
  RECORD_COUNT_AT,
  SAFE_INTEGER_MAX,
} from "./layout";

const enum Problem {
  NONE = 0,
  LENGTH = 1,
  MAGIC = 2,
  CHECKSUM = 3,
  ATTRIBUTES = 4,
  COUNT = 5,
  RECORDS = 6,
  OFFSETS = 7,
  TIMESTAMP = 8,
}

const PROBLEM_SLOT = 0;
const POSITION_SLOT = 1;
const RECORD_COUNT_SLOT = 2;
const MAX_TIMESTAMP_SLOT = 3;
const NULL_KEY_SLOT = 4;

/** What the walk reads next. A chunk may end before any of these; none needs more than STEP_BYTE_LENGTH bytes at once. */
const enum Step {
  RECORD = 0,
  VALUE = 1,
  HEADERS = 2,
  HEADER_NAME = 3,
  HEADER_VALUE = 4,
}
/** The longest step: record length 5, attributes 1, timestamp 10, offset 5, key length 5. */
const STEP_BYTE_LENGTH: usize = 26;

// One validation at a time; all positions are counted from the batch's first byte.
let batchByteLength: i32 = 0;
let recordCount: i32 = 0;
let baseTimestamp: i64 = 0;
let claimedMaxTimestamp: i64 = 0;
let storedChecksum: u32 = 0;
let problem: i32 = Problem.NONE;
let problemPosition: i32 = 0;
let checksum: u32 = 0;
let checksumEnd: i32 = 0;
let position: i32 = 0;
let step: i32 = Step.RECORD;
let recordsSeen: i32 = 0;
let recordEnd: i32 = 0;
let headersLeft: i32 = 0;
/** A wrong offset or timestamp: said at its record's end, if the record is one at all. */
let pending: i32 = Problem.NONE;
let recordStart: i32 = 0;
let maxTimestamp: i64 = -1;
let hasNullKey: bool = false;

function found(what: i32, where: i32): void {
  if (problem == Problem.NONE) {
    problem = what;
    problemPosition = where;
  }
}

function publish(): i32 {
  answer32(PROBLEM_SLOT, problem);
  answer32(POSITION_SLOT, problemPosition);
  answer32(RECORD_COUNT_SLOT, recordsSeen);
  answerNumber(MAX_TIMESTAMP_SLOT, <f64>maxTimestamp);
  answer32(NULL_KEY_SLOT, <i32>hasNullKey);
  return batchByteLength;
}

/** Begins with the header at `at`. Answers how many bytes need not be given again: 0 to stop here, the verdict is out; else where the records begin. */
export function beginValidation(at: usize, givenByteLength: i32, wholeByteLength: i32): i32 {
  mustBeInMemory(at, givenByteLength);
  must(givenByteLength <= wholeByteLength, Fault.CHUNK_ORDER);
  batchByteLength = wholeByteLength;
  recordCount = recordsSeen = 0;
  problem = Problem.NONE;
  problemPosition = 0;
  maxTimestamp = -1;
  hasNullKey = false;
  if (wholeByteLength < <i32>HEADER_BYTE_LENGTH) {
    found(Problem.LENGTH, 0);
    publish();
    return 0;
  }
  must(givenByteLength >= <i32>HEADER_BYTE_LENGTH, Fault.CHUNK_ORDER);
  if (load<u8>(at + MAGIC_AT) != MAGIC_V2) found(Problem.MAGIC, <i32>MAGIC_AT);
  else if (loadI32(at + LENGTH_AT) != wholeByteLength - <i32>LENGTH_OVERHEAD) found(Problem.LENGTH, <i32>LENGTH_AT);
  if (problem != Problem.NONE) {
    publish();
    return 0;
  }

  storedChecksum = <u32>loadI32(at + CRC_AT);
  checksum = extend(0, at + ATTRIBUTES_AT, <i32>(HEADER_BYTE_LENGTH - ATTRIBUTES_AT));
  checksumEnd = position = <i32>HEADER_BYTE_LENGTH;
  step = Step.RECORD;
  pending = Problem.NONE;

  // A wrong checksum is the more useful thing to say: these are only remembered until it is known.
  const attributes = (<i32>load<u8>(at + ATTRIBUTES_AT) << 8) | <i32>load<u8>(at + ATTRIBUTES_AT + 1);
  if (attributes & LOG_APPEND_TIME) found(Problem.TIMESTAMP, <i32>ATTRIBUTES_AT);
  else if (attributes & ~TRANSACTIONAL) found(Problem.ATTRIBUTES, <i32>ATTRIBUTES_AT);
  recordCount = loadI32(at + RECORD_COUNT_AT);
  if (recordCount <= 0 || recordCount > (wholeByteLength - <i32>HEADER_BYTE_LENGTH) / RECORD_BYTE_LENGTH_MIN) {
    found(Problem.COUNT, <i32>RECORD_COUNT_AT);
  } else if (loadI32(at + LAST_OFFSET_DELTA_AT) != recordCount - 1) found(Problem.COUNT, <i32>LAST_OFFSET_DELTA_AT);
  baseTimestamp = loadI64(at + BASE_TIMESTAMP_AT);
  if (baseTimestamp < -1 || baseTimestamp > SAFE_INTEGER_MAX) found(Problem.TIMESTAMP, <i32>BASE_TIMESTAMP_AT);
  claimedMaxTimestamp = loadI64(at + MAX_TIMESTAMP_AT);
  return <i32>HEADER_BYTE_LENGTH;
}

/**
 * Goes on with bytes `start` to `start + byteLength` of the batch, which stand at `at`. Answers the first position it
 * must be given next (never behind the end of what was given); the batch's length when it is done, the verdict being out.
 */
export function continueValidation(at: usize, start: i32, byteLength: i32): i32 {
  mustBeInMemory(at, byteLength);
  must(start <= checksumEnd && byteLength <= batchByteLength - start, Fault.CHUNK_ORDER);
  must(start <= position || problem != Problem.NONE, Fault.CHUNK_ORDER);
  const givenEnd = start + byteLength;
  must(givenEnd > checksumEnd || givenEnd == batchByteLength, Fault.CHUNK_ORDER);
  // `base` turns a position in the batch into an address; it may be "negative", and then wraps back.
  const base = at - <usize>start;
  checksum = extend(checksum, base + <usize>checksumEnd, givenEnd - checksumEnd);
  checksumEnd = givenEnd;
  if (problem == Problem.NONE) walk(base, givenEnd);

  if (givenEnd < batchByteLength) return problem != Problem.NONE || position > givenEnd ? givenEnd : position;
  if (checksum != storedChecksum) {
    problem = Problem.CHECKSUM;
    problemPosition = <i32>CRC_AT;
  } else if (problem == Problem.NONE && maxTimestamp != claimedMaxTimestamp) found(Problem.TIMESTAMP, <i32>MAX_TIMESTAMP_AT);
  return publish();
}

/** Reads record framing until the records, or the given bytes, are used up. Keys and values are stepped over, whoever holds them. */
function walk(base: usize, givenEnd: i32): void {
  const end = base + <usize>givenEnd;
  const isLast = givenEnd == batchByteLength;
  let seen = recordsSeen;
  while (true) {
    // A step never begins in bytes that are not here: far steps over a key or value end up behind `end`.
    if (!isLast && position > givenEnd - <i32>STEP_BYTE_LENGTH) break;
    let at = base + <usize>position;

    if (step == Step.RECORD) {
      if (seen == recordCount) {
        if (position != batchByteLength) found(Problem.RECORDS, position);
        break;
      }
      const length = readVarint(at, end);
      at = varintEnd;
      if (at == 0 || length < RECORD_BYTE_LENGTH_MIN - 1 || length > batchByteLength - <i32>(at - base)) {
        found(Problem.RECORDS, position);
        break;
      }
      recordEnd = <i32>(at - base) + length;
      // Behind the length comes one byte of attributes, unused by Kafka and ignored here; it is there, since length is at least 6.
      const timestampDelta = readVarlong(at + 1, end);
      at = varintEnd;
      if (at == 0) {
        found(Problem.RECORDS, position);
        break;
      }
      const timestamp = baseTimestamp + timestampDelta;
      const offsetDelta = readVarint(at, end);
      at = varintEnd;
      if (at == 0) {
        found(Problem.RECORDS, position);
        break;
      }
      const keyLength = readVarint(at, end);
      at = varintEnd;
      const keyRoom = recordEnd - <i32>(at - base);
      if (at == 0 || keyRoom < 0 || keyLength < -1 || keyLength > keyRoom) {
        found(Problem.RECORDS, position);
        break;
      }
      recordStart = position;
      // |delta| is looked at too: its sum with a base that is legal cannot wrap then.
      if (offsetDelta != seen) pending = Problem.OFFSETS;
      else if (timestampDelta > SAFE_INTEGER_MAX + 1 || timestampDelta < -SAFE_INTEGER_MAX - 1 || timestamp < -1 || timestamp > SAFE_INTEGER_MAX) {
        pending = Problem.TIMESTAMP;
      }
      if (timestamp > maxTimestamp) maxTimestamp = timestamp;
      if (keyLength < 0) hasNullKey = true;
      else at += <usize>keyLength;
      position = <i32>(at - base);
      step = Step.VALUE;
      if (!isLast && position > givenEnd - <i32>STEP_BYTE_LENGTH) break;
    }

    if (step == Step.VALUE || step == Step.HEADER_VALUE) {
      const valueLength = readVarint(at, end);
      at = varintEnd;
      const room = recordEnd - <i32>(at - base);
      if (at == 0 || room < 0 || valueLength < -1 || valueLength > room) {
        found(Problem.RECORDS, position);
        break;
      }
      if (valueLength > 0) at += <usize>valueLength;
      position = <i32>(at - base);
      if (step == Step.VALUE) step = Step.HEADERS;
      else step = --headersLeft > 0 ? Step.HEADER_NAME : Step.RECORD;
      if (step != Step.RECORD && !isLast && position > givenEnd - <i32>STEP_BYTE_LENGTH) break;
    }

    if (step == Step.HEADERS) {
      headersLeft = readVarint(at, end);
      at = varintEnd;
      const room = recordEnd - <i32>(at - base);
      // A header takes two bytes at least: the count is believed only as far as there are bytes for it.
      if (at == 0 || room < 0 || headersLeft < 0 || headersLeft > room >> 1) {
        found(Problem.RECORDS, position);
        break;
      }
      position = <i32>(at - base);
      step = headersLeft > 0 ? Step.HEADER_NAME : Step.RECORD;
    } else if (step == Step.HEADER_NAME) {
      const nameLength = readVarint(at, end);
      at = varintEnd;
      const room = recordEnd - <i32>(at - base);
      if (at == 0 || nameLength < 0 || nameLength > room) {
        found(Problem.RECORDS, position);
        break;
      }
      position = <i32>(at - base) + nameLength;
      step = Step.HEADER_VALUE;
      continue;
    }

    if (step == Step.RECORD) {
      if (position != recordEnd) {
        found(Problem.RECORDS, position);
        break;
      }
      if (pending != Problem.NONE) {
        found(pending, recordStart);
        break;
      }
      seen++;
    }
  }
  recordsSeen = seen;
}
