/** An error survives the broker port: what comes out on the other side is the same class, code, words and details. */
import { describe, expect, it } from "vitest";
import {
  CoreFaultError,
  CorruptionError,
  errorFromFault,
  faultFromError,
  GroupError,
  OdradekError,
  OffsetError,
  ProducerStateError,
  SerdeError,
  StorageError,
  UsageError,
} from "../../src/base/errors.ts";
import { reasonOf } from "../../src/base/reason.ts";

const errors: readonly OdradekError[] = [
  new OdradekError("UNKNOWN_SERVER_ERROR", "a"),
  new UsageError("INVALID_ARGUMENT", "b"),
  new OffsetError("OFFSET_OUT_OF_RANGE", "c", { range: { topic: "t", partition: 1, logStartOffset: 3, highWatermark: 9 } } as never),
  new GroupError("ILLEGAL_GENERATION", "d"),
  new ProducerStateError("INVALID_TXN_STATE", "e"),
  new SerdeError("DESERIALIZATION_FAILED", "f", { record: { topic: "t", partition: 0, offset: 5 } } as never),
  new StorageError("KAFKA_STORAGE_ERROR", "g", { file: "0.log" } as never),
  new CorruptionError("h", { file: "0.log", byteRange: [1, 2], offsetRange: [3, 4] } as never),
  new CoreFaultError("CORE_FAULT", "i"),
];

describe("a fault", () => {
  it("gives back the error it was made of, as it crosses a port that copies plain data", () => {
    for (const error of errors) {
      const back = errorFromFault(structuredClone(faultFromError(error)));
      expect(back.constructor).toBe(error.constructor);
      expect(faultFromError(back)).toEqual(faultFromError(error));
    }
  });

  it("of what is not ours says what was thrown, and of a code that we do not know that it is unknown", () => {
    expect(faultFromError(new TypeError("not a function"))).toMatchObject({ code: "UNKNOWN_SERVER_ERROR", message: "not a function" });
    expect(faultFromError("a text")).toMatchObject({ name: "OdradekError", code: "UNKNOWN_SERVER_ERROR", message: "a text" });
    const later = errorFromFault({ name: "LaterError", code: "LATER" as never, message: "from a later version", details: {} });
    expect(later).toMatchObject({ name: "OdradekError", code: "UNKNOWN_SERVER_ERROR", message: "from a later version" });
  });
});

it("says why, of an error and of anything else that was thrown", () => {
  expect([reasonOf(new Error("words")), reasonOf("text"), reasonOf(undefined)]).toEqual(["words", "text", "undefined"]);
});
