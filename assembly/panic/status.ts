/** Why an export refuses what it was given: the negative answers. These are the data's fault; `Fault` is for ours. */
export const enum Status {
  /** Record framing that does not add up, or a header that cannot be. */
  MALFORMED = -1,
  /** The records are compressed: they cannot be looked into here. */
  COMPRESSED = -2,
  /** The record does not fit behind those already in the write window. */
  WINDOW_FULL = -3,
  /** A timestamp that is no whole number from -1 to 2^53-1. */
  TIMESTAMP = -4,
  /** With this record the batch would be longer than its 32-bit length can say. */
  BATCH_TOO_LONG = -5,
  /** An index entry that does not come after the one before it, or is no pair of numbers that an entry holds. */
  ENTRY_ORDER = -6,
  /** More bytes would come out of a compressed block than there is room for. */
  TOO_LONG = -7,
}
