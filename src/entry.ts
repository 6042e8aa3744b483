/** What every entry of the package exports, whatever the runtime: serdes, errors, the memory driver and the types. */
export type * from "./api/index.ts";
export { ERROR_CODES, type ErrorCode } from "./base/error-codes.ts";
export {
  CoreFaultError,
  CorruptionError,
  GroupError,
  OdradekError,
  OffsetError,
  ProducerStateError,
  SendBatchError,
  SerdeError,
  StorageError,
  UsageError,
} from "./base/errors.ts";
export { bytes, json, msgpack, utf8 } from "./base/serde.ts";
export type { AttachPort, MessagePortLike, ServePort, StopServing } from "./open-face.ts";
export { memory } from "./storage/memory.ts";
