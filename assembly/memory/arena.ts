/**
 * Where everything stands in linear memory: one fixed map, drawn once, nothing allocated after.
 * TypeScript learns these places from the mailbox after `initialize`, so this file is the only truth.
 */

//  0      64        1024         17408             65536    131072        204800            ...
//  ├ unused ┼ mailbox ┼ crc tables ┼ crc folding ... ┼ staging ┼ scan table ┼ write window ┼ read window ┼ codec table ┼ codec input ┼ codec output ┤ arena end
export const MAILBOX_AT: usize = 64;
export const MAILBOX_BYTE_LENGTH: usize = 256;

export const CRC_TABLES_AT: usize = 1024;
export const CRC_TABLES_BYTE_LENGTH: usize = 16 * 256 * 4;

/** For each way to fold a message: what was folded last (the span, a chunk, a tail of zeros), and the shorter message that comes out. */
export const CRC_FIRST_HISTORY_AT: usize = CRC_TABLES_AT + CRC_TABLES_BYTE_LENGTH;
export const CRC_FIRST_TAIL_AT: usize = CRC_FIRST_HISTORY_AT + 21760;
export const CRC_SECOND_HISTORY_AT: usize = CRC_FIRST_TAIL_AT + 5376;
export const CRC_SECOND_TAIL_AT: usize = CRC_SECOND_HISTORY_AT + 8768;
export const CRC_END: usize = CRC_SECOND_TAIL_AT + 320;

/** What of a message to be hashed by xxh32 waits for the rest of its 16 bytes. */
export const XXH_TAIL_AT: usize = CRC_END;

/** Bytes that live in other memories pass through here, 64 KiB at a time: the first-level caches hold it. */
export const STAGING_AT: usize = 65536;
export const STAGING_BYTE_LENGTH: usize = 65536;

/** One 32-bit position per batch that a scan accepted; as many as the read window can hold of the smallest batch. */
export const SCAN_TABLE_AT: usize = STAGING_AT + STAGING_BYTE_LENGTH;
export const SCAN_TABLE_BYTE_LENGTH: usize = 73728;

/** A batch of Kafka's default `max.message.bytes` (1 MiB + 12) fits, and a little more. */
export const WINDOW_BYTE_LENGTH: usize = 1024 * 1024 + 65536;

export const WRITE_WINDOW_AT: usize = SCAN_TABLE_AT + SCAN_TABLE_BYTE_LENGTH;
export const READ_WINDOW_AT: usize = WRITE_WINDOW_AT + WINDOW_BYTE_LENGTH;

/** Positions by the hash of what stands there: for one block that is being compressed. */
export const LZ_TABLE_AT: usize = READ_WINDOW_AT + WINDOW_BYTE_LENGTH;
export const LZ_TABLE_BYTE_LENGTH: usize = 16384;

/** Codecs have windows of their own: a batch may be half written, or half read, when one is asked for. What codecs overrun has room behind each. */
export const CODEC_WINDOW_BYTE_LENGTH: usize = WINDOW_BYTE_LENGTH;
const CODEC_ROOM: usize = 256;
export const CODEC_INPUT_AT: usize = LZ_TABLE_AT + LZ_TABLE_BYTE_LENGTH;
export const CODEC_OUTPUT_AT: usize = CODEC_INPUT_AT + CODEC_WINDOW_BYTE_LENGTH + CODEC_ROOM;
/** Behind it an instance that compacts has its offset map and its batches: memory added once, by TypeScript. */
export const ARENA_END: usize = CODEC_OUTPUT_AT + CODEC_WINDOW_BYTE_LENGTH + CODEC_ROOM;
