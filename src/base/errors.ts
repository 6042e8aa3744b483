/** The errors a program can meet. The family says who can mend it; the code, from `error-codes.ts`, says what it is. */

import type { Fault } from "../api/broker.ts";
import type { Acks, Bytes, Watermarks } from "../api/bytes.ts";
import type { ConsumerRecord } from "../api/consumer.ts";
import type { RecordMetadata } from "../api/producer.ts";
import { ERROR_CODES, type ErrorCode } from "./error-codes.ts";
import { reasonOf } from "./reason.ts";

/** What every family takes: the error or value underneath. */
export interface ErrorOptions {
  readonly cause?: unknown;
}

/** What every error of this package is. `code` is stable; the message may improve. */
export class OdradekError extends Error {
  override readonly name: string = "OdradekError";
  readonly code: ErrorCode;
  readonly kafkaCode: number;
  readonly retriable: boolean;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    [this.kafkaCode, this.retriable] = ERROR_CODES[code];
  }
}

/** The caller can mend it: a wrong argument, a closed log, a topic that is not there. */
export class UsageError extends OdradekError {
  override readonly name = "UsageError";
}

/** A seek mends it: the position is outside `range`. */
export class OffsetError extends OdradekError {
  override readonly name = "OffsetError";
  readonly range: Watermarks;

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { readonly range: Watermarks }) {
    super(code, message, options);
    this.range = options.range;
  }
}

/** Rejoining the group mends it. */
export class GroupError extends OdradekError {
  override readonly name = "GroupError";
}

/** A new producer mends it. */
export class ProducerStateError extends OdradekError {
  override readonly name = "ProducerStateError";
}

/** The data or its schema must be mended. `record` is what is stored; null when it was being sent. */
export class SerdeError extends OdradekError {
  override readonly name = "SerdeError";
  readonly record: ConsumerRecord<Bytes, Bytes> | null;

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { readonly record: ConsumerRecord<Bytes, Bytes> | null }) {
    super(code, message, options);
    this.record = options.record;
  }
}

/** Some records of a `sendBatch` were not appended; `results` says what happened to each, in the order given. */
export class SendBatchError extends OdradekError {
  override readonly name = "SendBatchError";
  readonly results: readonly PromiseSettledResult<RecordMetadata<Acks>>[];

  constructor(message: string, options: ErrorOptions & { readonly results: readonly PromiseSettledResult<RecordMetadata<Acks>>[] }) {
    super("SEND_BATCH_FAILED", message, options);
    this.results = options.results;
  }
}

/** The machine must be mended: a full disk, a lost permission, a lock held elsewhere. */
export class StorageError extends OdradekError {
  override readonly name = "StorageError";
  /** Who holds the directory, with `DIRECTORY_IN_USE`, as far as it is known. */
  readonly holder: unknown;

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { readonly holder?: unknown } = {}) {
    super(code, message, options);
    this.holder = options.holder;
  }
}

/** The disk has no room: what is derived can wait for some. */
export function isStorageFull(error: unknown): error is StorageError {
  return error instanceof StorageError && error.code === "STORAGE_FULL";
}

/** A backup or `odradek repair` mends it: these bytes are not what was written. */
export class CorruptionError extends OdradekError {
  override readonly name = "CorruptionError";
  readonly file: string;
  readonly byteRange: readonly [number, number];
  readonly offsetRange: readonly [number, number];
  readonly nextReadableOffset: number | null;

  constructor(
    message: string,
    options: ErrorOptions & {
      readonly file: string;
      readonly byteRange: readonly [number, number];
      readonly offsetRange: readonly [number, number];
      readonly nextReadableOffset: number | null;
      readonly code?: ErrorCode;
    },
  ) {
    super(options.code ?? "CORRUPT_MESSAGE", message, options);
    this.file = options.file;
    this.byteRange = options.byteRange;
    this.offsetRange = options.offsetRange;
    this.nextReadableOffset = options.nextReadableOffset;
  }
}

/** We must mend it: the core broke one of its own rules. */
export class CoreFaultError extends OdradekError {
  override readonly name = "CoreFaultError";
}

const DETAILS = ["range", "record", "results", "holder", "file", "byteRange", "offsetRange", "nextReadableOffset"] as const;

/** An error as plain data, for the broker port. What is not ours becomes an `UNKNOWN_SERVER_ERROR`. */
export function faultFromError(error: unknown): Fault {
  if (!(error instanceof OdradekError)) {
    return {
      name: "OdradekError",
      code: "UNKNOWN_SERVER_ERROR",
      message: reasonOf(error),
      details: {},
    };
  }
  const details: Record<string, unknown> = {};
  for (const field of DETAILS) {
    const value = (error as unknown as Record<string, unknown>)[field];
    if (value !== undefined) details[field] = value;
  }
  return { name: error.name, code: error.code, message: error.message, details };
}

/** The error that a fault was made of. */
export function errorFromFault(fault: Fault): OdradekError {
  const code: ErrorCode = Object.hasOwn(ERROR_CODES, fault.code) ? (fault.code as ErrorCode) : "UNKNOWN_SERVER_ERROR";
  const details = fault.details as never;
  switch (fault.name) {
    case "UsageError":
      return new UsageError(code, fault.message);
    case "OffsetError":
      return new OffsetError(code, fault.message, details);
    case "GroupError":
      return new GroupError(code, fault.message);
    case "ProducerStateError":
      return new ProducerStateError(code, fault.message);
    case "SerdeError":
      return new SerdeError(code, fault.message, details);
    case "StorageError":
      return new StorageError(code, fault.message, details);
    case "CorruptionError":
      return new CorruptionError(fault.message, { ...(fault.details as object), code } as never);
    case "CoreFaultError":
      return new CoreFaultError(code, fault.message);
    default:
      return new OdradekError(code, fault.message);
  }
}
