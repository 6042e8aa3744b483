/**
 * Every error code there is: Kafka's number, whether the same call may succeed if made again, and what it means.
 * Kafka's names and numbers: `org.apache.kafka.common.protocol.Errors`. Codes that are ours alone have Kafka's -1.
 */

/** `meaning`: one sentence, the start of the entry in docs/ERRORS.md. */
export type ErrorCodeFacts = readonly [kafkaCode: number, retriable: boolean, meaning: string];

/** Kafka's number, whether the same call may succeed if made again, and a sentence, by code. */
export const ERROR_CODES = {
  // Kafka's
  UNKNOWN_SERVER_ERROR: [-1, false, "Something failed that no other code describes; the cause says what."],
  OFFSET_OUT_OF_RANGE: [1, false, "The offset is outside what the partition holds."],
  CORRUPT_MESSAGE: [2, false, "Stored bytes are not what was written there."],
  UNKNOWN_TOPIC_OR_PARTITION: [3, false, "There is no such topic, or the topic has no such partition."],
  MESSAGE_TOO_LARGE: [10, false, "The record, alone in a batch, is larger than the topic's maxMessageBytes."],
  OFFSET_METADATA_TOO_LARGE: [12, false, "The text beside a committed offset is longer than 4096 bytes."],
  NETWORK_EXCEPTION: [13, true, "The process that had the log went without an answer, or nobody has the log."],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true, "The group's offsets are still being read."],
  INVALID_TOPIC_EXCEPTION: [17, false, "The topic's name is not legal, or the topic is internal."],
  RECORD_LIST_TOO_LARGE: [18, false, "The batch is larger than the topic's segmentBytes."],
  ILLEGAL_GENERATION: [22, false, "The member speaks for a generation of the group that has passed."],
  INCONSISTENT_GROUP_PROTOCOL: [23, false, "The member has no assignor in common with the rest of its group."],
  INVALID_GROUP_ID: [24, false, "The group id is empty or not a string."],
  UNKNOWN_MEMBER_ID: [25, false, "The group does not know this member: it left, or was put out for not polling."],
  INVALID_SESSION_TIMEOUT: [26, false, "The session timeout is outside 6 s to 30 min."],
  REBALANCE_IN_PROGRESS: [27, true, "The group is handing out its partitions anew."],
  INVALID_TIMESTAMP: [32, false, "The timestamp is not -1 or 0 to 2^53-1."],
  UNSUPPORTED_VERSION: [35, false, "This is not supported here."],
  TOPIC_ALREADY_EXISTS: [36, false, "A topic of this name exists."],
  INVALID_PARTITIONS: [37, false, "The partition count is not legal."],
  INVALID_CONFIG: [40, false, "A configuration value is not legal."],
  INVALID_REQUEST: [42, false, "The call contradicts itself."],
  POLICY_VIOLATION: [44, false, "The topic's cleanupPolicy does not allow it."],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false, "A producer's sequence has a gap."],
  INVALID_PRODUCER_EPOCH: [47, false, "A newer producer has taken this one's place."],
  INVALID_TXN_STATE: [48, false, "The transaction is not in a state that allows it."],
  INVALID_PRODUCER_ID_MAPPING: [49, false, "The producer id does not belong to this transactional id."],
  INVALID_TRANSACTION_TIMEOUT: [50, false, "The transaction timeout is outside 1 ms to 15 min."],
  CONCURRENT_TRANSACTIONS: [51, true, "The previous transaction of this id is still being finished."],
  TRANSACTION_COORDINATOR_FENCED: [52, false, "A newer transaction coordinator has taken this one's place."],
  KAFKA_STORAGE_ERROR: [56, true, "The disk refused a read or a write."],
  NON_EMPTY_GROUP: [68, false, "The group has members."],
  GROUP_ID_NOT_FOUND: [69, false, "There is no such group."],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false, "The batch is compressed with a codec that cannot be used here."],
  MEMBER_ID_REQUIRED: [79, true, "The member must join again with the id it was given."],
  FENCED_INSTANCE_ID: [82, false, "Another member has taken this static member's place."],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false, "A member of the group is subscribed to the topic."],
  INVALID_RECORD: [87, false, "The batch or a record in it breaks a rule of the format or of the topic."],
  UNSTABLE_OFFSET_COMMIT: [88, true, "An open transaction may still commit other offsets for the partition."],
  PRODUCER_FENCED: [90, false, "A newer producer with this transactional id has begun."],
  TRANSACTION_ABORTABLE: [120, false, "Something the transaction needs was lost; it can only be aborted and begun anew."],
  // ours: the caller
  INVALID_ARGUMENT: [-1, false, "An argument is of the wrong type or out of range."],
  UNKNOWN_CONFIG: [-1, false, "There is no configuration of this name."],
  CONCURRENT_CALL: [-1, false, "A second iteration, poll or transaction was begun before the first had ended."],
  LOG_CLOSED: [-1, false, "The log was closed."],
  PRODUCER_CLOSED: [-1, false, "The producer was closed."],
  CONSUMER_CLOSED: [-1, false, "The consumer was closed."],
  TABLE_CLOSED: [-1, false, "The table was closed."],
  READ_ONLY: [-1, false, "The log was opened with readOnly."],
  ALREADY_OPEN: [-1, false, "This process has the directory open already."],
  TOPIC_NOT_ADOPTED: [-1, false, "Another writer left the topic here; adoptTopic names its settings before it may change."],
  BUFFER_EXHAUSTED: [-1, true, "bufferMemory stayed full for maxBlockMs, or too many changes of a table wait to be asked for."],
  NO_GROUP: [-1, false, "The consumer has no groupId, so it has nothing to subscribe with or commit to."],
  NOT_ASSIGNED: [-1, false, "The partition is not assigned to this consumer."],
  // ours: the data
  SERIALIZATION_FAILED: [-1, false, "A key or value could not be made into bytes."],
  DESERIALIZATION_FAILED: [-1, false, "Stored bytes could not be made into a key or value."],
  UNSUPPORTED_MAGIC: [-1, false, "The file holds record batches of a format older or newer than magic 2."],
  BOOK_CORRUPT: [-1, false, "One of the directory's own files (catalogue, checkpoint, state) cannot be believed."],
  // ours: the machine
  DIRECTORY_IN_USE: [-1, true, "Another process has the directory open."],
  NOT_A_DIRECTORY: [-1, false, "The path is not a directory."],
  LOCK_LOST: [-1, false, "The lock that keeps a second writer out was removed while the directory was open."],
  LOCK_UNAVAILABLE: [-1, false, "The lock that keeps a second writer out cannot be had here."],
  NETWORK_FILE_SYSTEM: [-1, false, "The directory is on a network file system, whose locks and flushes cannot be relied on."],
  STORAGE_FULL: [-1, true, "The disk, the quota or a file-size limit is full."],
  TOO_MANY_OPEN_FILES: [-1, true, "The process or the machine has no file descriptor left."],
  STORAGE_FAILED: [-1, false, "The storage refused a call; the cause says which."],
  STORAGE_CLOSED: [-1, false, "The storage was closed."],
  PERMISSION_DENIED: [-1, false, "The system does not allow it."],
  FILE_NOT_FOUND: [-1, false, "There is no such file or directory."],
  MARKERS_PENDING: [-1, true, "The transaction's outcome is decided; in some partitions its markers are still to be written."],
  PARTITION_FAILED: [
    -1,
    false,
    "A flush of this partition failed, or its recovery found no room on the disk; reopenPartition recovers it.",
  ],
  // ours: us
  CORE_FAULT: [-1, false, "The WebAssembly core broke one of its own rules; this is a defect in Odradek."],
  CORE_UNAVAILABLE: [-1, false, "WebAssembly cannot be compiled here, or there is no memory for it."],
  SEND_BATCH_FAILED: [-1, false, "Some records of the batch were not appended; results says which."],
} as const;

/** A code that an error of this package may carry. */
export type ErrorCode = keyof typeof ERROR_CODES;
