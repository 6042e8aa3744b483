/** The header of a record batch, magic 2. Source: Apache Kafka, DefaultRecordBatch; the same picture is in src/base/record-batch.ts. */

//  0             8        12      16      17    21           23                  27               35              43            51      53       57      61
//  ├ base offset ┼ length ┼ epoch ┼ magic ┼ crc ┼ attributes ┼ last offset delta ┼ base timestamp ┼ max timestamp ┼ producer id ┼ epoch ┼ sequence ┼ count ┤
export const BASE_OFFSET_AT: usize = 0;
export const LENGTH_AT: usize = BASE_OFFSET_AT + 8;
export const LEADER_EPOCH_AT: usize = LENGTH_AT + 4;
export const MAGIC_AT: usize = LEADER_EPOCH_AT + 4;
export const CRC_AT: usize = MAGIC_AT + 1;
export const ATTRIBUTES_AT: usize = CRC_AT + 4;
export const LAST_OFFSET_DELTA_AT: usize = ATTRIBUTES_AT + 2;
export const BASE_TIMESTAMP_AT: usize = LAST_OFFSET_DELTA_AT + 4;
export const MAX_TIMESTAMP_AT: usize = BASE_TIMESTAMP_AT + 8;
export const PRODUCER_ID_AT: usize = MAX_TIMESTAMP_AT + 8;
export const PRODUCER_EPOCH_AT: usize = PRODUCER_ID_AT + 8;
export const BASE_SEQUENCE_AT: usize = PRODUCER_EPOCH_AT + 2;
export const RECORD_COUNT_AT: usize = BASE_SEQUENCE_AT + 4;
export const HEADER_BYTE_LENGTH: usize = RECORD_COUNT_AT + 4;

/** What the length field does not count: the base offset and itself. */
export const LENGTH_OVERHEAD: usize = LENGTH_AT + 4;

export const MAGIC_V2: u8 = 2;
/** The shortest message of any magic, without its first 12 bytes: crc, magic, attributes, key and value length. */
export const OLDEST_LENGTH_MIN: i32 = 14;
export const BATCH_LENGTH_MIN: i32 = <i32>(HEADER_BYTE_LENGTH - LENGTH_OVERHEAD);
/** length, attributes, timestamp, offset, key length, value length, header count: a byte each at least. */
export const RECORD_BYTE_LENGTH_MIN: i32 = 7;

/** Offsets and timestamps above this have no exact JavaScript number. */
export const SAFE_INTEGER_MAX: i64 = 9007199254740991;
