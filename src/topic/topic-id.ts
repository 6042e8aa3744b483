/** A topic's id: Kafka's uuid, sixteen bytes, told as 22 characters of URL-safe base64. */
import type { Bytes } from "../api/bytes.ts";
import type { Random } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { uuidFromText, uuidToText } from "../base/uuid-text.ts";

/** Kafka's reserved uuids 0 (none) and 1 (the metadata log). */
const RESERVED: readonly string[] = ["AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAQ"];

/** Fair chance misses once in 64 tries; so many in a row mean that `random` is none. */
const TRIES_MAX = 100;

/** A random uuid of version 4, as Kafka makes it: never a reserved one, never with a "-" in front, which a command line would take for an option. */
export function newTopicId(random: Random): string {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const bytes = random.bytes(16);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const text = uuidToText(bytes);
    if (isTopicId(text)) return text;
  }
  throw new UsageError("INVALID_ARGUMENT", `expected random bytes, found ${TRIES_MAX} times such as begin a topic id with "-"`);
}

/** Whether a value is the text of a uuid that Kafka could have given to a topic. */
export function isTopicId(value: unknown): value is string {
  return typeof value === "string" && !value.startsWith("-") && !RESERVED.includes(value) && uuidFromText(value) !== null;
}

/** The sixteen bytes of a topic id. Throws `INVALID_ARGUMENT` for anything else. */
export function topicIdBytes(topicId: string): Bytes {
  const bytes = isTopicId(topicId) ? uuidFromText(topicId) : null;
  if (bytes === null) {
    throw new UsageError("INVALID_ARGUMENT", `topicId: expected 22 characters of URL-safe base64, found ${JSON.stringify(topicId)}`);
  }
  return bytes;
}
