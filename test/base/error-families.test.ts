/** What an error of ours carries: its family's name, Kafka's number, whether to try again, and no detail that it does not have. */
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/base/error-codes.ts";
import {
  CorruptionError,
  errorFromFault,
  faultFromError,
  GroupError,
  isStorageFull,
  OdradekError,
  OffsetError,
  SendBatchError,
  SerdeError,
  StorageError,
  UsageError,
} from "../../src/base/errors.ts";

const WHERE = { file: "0.log", byteRange: [1, 2], offsetRange: [3, 4], nextReadableOffset: null } as const;

describe("an error", () => {
  // Kafka's numbers are what its clients are told; `retriable` is what a loop that tries again asks.
  it.each([
    ["UNKNOWN_SERVER_ERROR", -1, false],
    ["OFFSET_OUT_OF_RANGE", 1, false],
    ["CORRUPT_MESSAGE", 2, false],
    ["UNKNOWN_TOPIC_OR_PARTITION", 3, false],
    ["MESSAGE_TOO_LARGE", 10, false],
    ["COORDINATOR_LOAD_IN_PROGRESS", 14, true],
    ["ILLEGAL_GENERATION", 22, false],
    ["UNKNOWN_MEMBER_ID", 25, false],
    ["REBALANCE_IN_PROGRESS", 27, true],
    ["OUT_OF_ORDER_SEQUENCE_NUMBER", 45, false],
    ["INVALID_PRODUCER_EPOCH", 47, false],
    ["CONCURRENT_TRANSACTIONS", 51, true],
    ["KAFKA_STORAGE_ERROR", 56, true],
    ["MEMBER_ID_REQUIRED", 79, true],
    ["FENCED_INSTANCE_ID", 82, false],
    ["UNSTABLE_OFFSET_COMMIT", 88, true],
    ["PRODUCER_FENCED", 90, false],
    ["LOG_CLOSED", -1, false],
    ["DIRECTORY_IN_USE", -1, true],
  ] as const)("%s is Kafka's %d, to be tried again: %s", (code, kafkaCode, retriable) => {
    expect(new UsageError(code, "words")).toMatchObject({ name: "UsageError", code, kafkaCode, retriable, message: "words" });
  });

  it("has a cause where it was given one, and no field of that name where not", () => {
    expect(Object.hasOwn(new GroupError("ILLEGAL_GENERATION", "words"), "cause")).toBe(false);
    expect(Object.hasOwn(new GroupError("ILLEGAL_GENERATION", "words", { cause: undefined }), "cause")).toBe(false);
    for (const cause of [new Error("below"), null, 0])
      expect(new GroupError("ILLEGAL_GENERATION", "words", { cause })).toHaveProperty("cause", cause);
  });

  it("of bytes that are wrong is a corrupt message, unless it says which book it is", () => {
    expect(new CorruptionError("words", WHERE)).toMatchObject({ code: "CORRUPT_MESSAGE", kafkaCode: 2, ...WHERE });
    expect(new CorruptionError("words", { ...WHERE, code: "BOOK_CORRUPT" })).toMatchObject({ code: "BOOK_CORRUPT", kafkaCode: -1 });
  });

  it("of a batch is told by its results, whatever failed", () => {
    const results = [{ status: "rejected", reason: 1 }] as const;
    expect(new SendBatchError("words", { results })).toMatchObject({ name: "SendBatchError", code: "SEND_BATCH_FAILED", results });
  });

  it.each([
    [new StorageError("STORAGE_FULL", "full"), true],
    [new StorageError("PERMISSION_DENIED", "denied"), false],
    [new UsageError("STORAGE_FULL", "not of the machine"), false],
    [{ code: "STORAGE_FULL" }, false],
    [undefined, false],
  ])("%s is of a disk without room: %s", (error, isFull) => {
    expect(isStorageFull(error)).toBe(isFull);
  });
});

describe("a fault", () => {
  const range = { low: 1, high: 2 } as never;
  it.each([
    [new UsageError("INVALID_ARGUMENT", "m"), {}],
    [new OffsetError("OFFSET_OUT_OF_RANGE", "m", { range }), { range }],
    [new SerdeError("SERIALIZATION_FAILED", "m", { record: null }), { record: null }],
    [new SendBatchError("m", { results: [] }), { results: [] }],
    [new StorageError("DIRECTORY_IN_USE", "m"), {}],
    [new StorageError("DIRECTORY_IN_USE", "m", { holder: { pid: 5 } }), { holder: { pid: 5 } }],
    [new CorruptionError("m", { ...WHERE, nextReadableOffset: 9 }), { ...WHERE, nextReadableOffset: 9 }],
    [new CorruptionError("m", WHERE), WHERE],
  ])("of %s has its details and no others", (error, details) => {
    expect(faultFromError(error)).toStrictEqual({ name: error.name, code: error.code, message: "m", details });
  });

  it.each(["toString", "constructor", "__proto__", "NO_SUCH_CODE"])(
    "of the code %s, which is none of ours, is an unknown error",
    (code) => {
      expect(errorFromFault({ name: "StorageError", code, message: "m", details: {} } as never)).toMatchObject({
        code: "UNKNOWN_SERVER_ERROR",
        message: "m",
      });
    },
  );

  it("of what is not ours has no details, though it may have fields of these names", () => {
    expect(faultFromError(Object.assign(new Error("m"), { file: "0.log", code: "ENOENT" }))).toStrictEqual({
      name: "OdradekError",
      code: "UNKNOWN_SERVER_ERROR",
      message: "m",
      details: {},
    });
  });

  it.each([
    ["UsageError", "INVALID_ARGUMENT", {}],
    ["OffsetError", "OFFSET_OUT_OF_RANGE", { range }],
    ["GroupError", "ILLEGAL_GENERATION", {}],
    ["ProducerStateError", "PRODUCER_FENCED", {}],
    ["SerdeError", "SERIALIZATION_FAILED", { record: null }],
    ["StorageError", "DIRECTORY_IN_USE", { holder: "someone" }],
    ["CorruptionError", "BOOK_CORRUPT", WHERE],
    ["CorruptionError", "CORRUPT_MESSAGE", WHERE],
    ["CoreFaultError", "CORE_FAULT", {}],
    ["OdradekError", "LOG_CLOSED", {}],
    ["OdradekError", "UNKNOWN_SERVER_ERROR", {}],
  ] as const)("of a %s with %s is that error again", (name, code, details) => {
    const error = errorFromFault({ name, code, message: "m", details });
    expect(error).toBeInstanceOf(OdradekError);
    expect(error).toMatchObject({ name, code: code satisfies ErrorCode, message: "m", ...details });
    expect(error.constructor.name).toBe(name);
  });
});
