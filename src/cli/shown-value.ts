/** Keys and values between their bytes and what a person or a program reads: raw, utf8, json or msgpack. */
import { reasonOf } from "../base/reason.ts";
import { json, msgpack, utf8 } from "../base/serde.ts";
import { DataError } from "./cli-error.ts";
import { bytesOfJson, jsonText } from "./json-text.ts";

export const SERDE_NAMES = ["bytes", "utf8", "json", "msgpack"] as const;
export type SerdeName = (typeof SERDE_NAMES)[number];

const CONTEXT = { topic: "", headers: [] } as const;
const SERDES = { utf8, json: json<unknown>(), msgpack: msgpack<unknown>() };
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What stands in a JSON line: the bytes themselves, or what they say. */
export function decodeShown(bytes: Uint8Array | null, serde: SerdeName, where: string): unknown {
  if (bytes === null || serde === "bytes") return bytes;
  try {
    if (serde === "utf8") return strictUtf8.decode(bytes);
    // Of its own: what is decoded may keep views of it.
    return SERDES[serde].deserialize(new Uint8Array(bytes), CONTEXT);
  } catch (error) {
    const reason = reasonOf(error);
    throw new DataError(`${where}: ${bytes.byteLength} bytes are no ${serde}: ${reason}`, "DESERIALIZATION_FAILED");
  }
}

/** What stands in a plain line: raw bytes and text as they are, the others as JSON. */
export function shownBytes(bytes: Uint8Array | null, serde: SerdeName, where: string): Uint8Array | null {
  if (bytes === null || serde === "bytes") return bytes;
  const value = decodeShown(bytes, serde, where);
  return serde === "utf8" ? bytes : Buffer.from(jsonText(value));
}

/** Bytes from a plain line. */
export function bytesOfLine(bytes: Uint8Array, serde: SerdeName, where: string): Uint8Array {
  if (serde === "bytes") return bytes;
  const text = textOfLine(bytes, where);
  if (serde === "utf8") return bytes;
  return serialize(parseJson(text, where), serde, where);
}

/** Bytes from the field of a JSON line; null is null. */
export function bytesOfField(field: unknown, serde: SerdeName, where: string): Uint8Array | null {
  if (field === null || field === undefined) return null;
  const bytes = bytesOfJson(field);
  if (bytes !== null) return bytes;
  if (serde === "json" || serde === "msgpack") return serialize(field, serde, where);
  if (typeof field === "string") return Buffer.from(field);
  throw new DataError(
    `${where}: expected a text or {"base64": …}, found ${jsonText(field)?.slice(0, 80)}; --value json or msgpack takes any value`,
    "SERIALIZATION_FAILED",
  );
}

function serialize(value: unknown, serde: "json" | "msgpack", where: string): Uint8Array {
  try {
    // A copy: what a serializer answers may be overwritten by its next call.
    return SERDES[serde].serialize(value, CONTEXT).slice();
  } catch (error) {
    throw new DataError(`${where}: cannot be written as ${serde}: ${reasonOf(error)}`, "SERIALIZATION_FAILED");
  }
}

function textOfLine(bytes: Uint8Array, where: string): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new DataError(`${where}: expected UTF-8 text, found other bytes`, "SERIALIZATION_FAILED");
  }
}

export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new DataError(
      `${where}: expected JSON, found ${JSON.stringify(text.slice(0, 80))}: ${(error as Error).message}`,
      "SERIALIZATION_FAILED",
    );
  }
}
