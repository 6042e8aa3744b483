/** Kafka's text form of a uuid: sixteen bytes in URL-safe base64 without padding, 22 characters. */
import type { Bytes } from "../api/bytes.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BYTE_LENGTH = 16;
// 22 characters hold 132 bits; the last four are 0, or two texts would mean one uuid.
const UUID_TEXT = /^[A-Za-z0-9_-]{21}[AQgw]$/;

export function uuidToText(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let bitCount = 0;
  for (let index = 0; index < BYTE_LENGTH; index++) {
    bits = (bits << 8) | (bytes[index] as number);
    for (bitCount += 8; bitCount >= 6; bitCount -= 6) text += ALPHABET[(bits >> (bitCount - 6)) & 63];
    bits &= (1 << bitCount) - 1;
  }
  return text + ALPHABET[(bits << (6 - bitCount)) & 63];
}

/** null for anything but the one text of a uuid. */
export function uuidFromText(text: string): Bytes | null {
  if (!UUID_TEXT.test(text)) return null;
  const bytes = new Uint8Array(BYTE_LENGTH);
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  for (const character of text) {
    bits = (bits << 6) | ALPHABET.indexOf(character);
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[at++] = bits >> bitCount;
      bits &= (1 << bitCount) - 1;
    }
  }
  return bytes;
}
