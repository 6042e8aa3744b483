/** Frames: how calls and answers stand on the wire, and how they are cut out of a stream of bytes. */
import type { Bytes } from "../api/bytes.ts";
import { OdradekError } from "../base/errors.ts";
import { msgpack } from "../base/serde.ts";

//  0        4      5    9             13
//  ├ length ┼ kind ┼ id ┼ body length ┼ body (MessagePack) ┼ tail (bytes as they are) ┤
// `length` counts what follows it.
const LENGTH_BYTES = 4;
const ID_AT = 1;
const BODY_LENGTH_AT: number = ID_AT + 4;
const BODY_AT: number = BODY_LENGTH_AT + 4;

/** Raised with every change that the other side would misunderstand. */
export const PROTOCOL_VERSION = 1;

/** Hello, refusal and their form stay what they are in every version to come. */
export const KIND = {
  /** { version, key }, the first frame of whoever attaches. */
  hello: 0,
  /** A fault, and the end of the channel. */
  refusal: 1,
  welcome: 2,
  /** [name, ...arguments]; the tail is a batch. */
  call: 3,
  /** The call of this id is not waited for any more. */
  cancel: 4,
  answer: 5,
  fault: 6,
  /** The call of this id was not begun: the owner is about to close. */
  back: 7,
  /** A sign of life. */
  pulse: 8,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** Before the other side has said who it is. */
export const HELLO_BYTE_LENGTH_MAX = 4096;
export const FRAME_BYTE_LENGTH_MAX: number = 256 * 1024 * 1024;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly body: unknown;
  readonly tail: Bytes;
}

const NOTHING: Bytes = new Uint8Array(0);
const packer = msgpack();
const CONTEXT = { topic: "", headers: [] };

/** The parts of a frame. The body is wrapped, so that it may be nothing. */
export function frameParts(kind: Kind, id: number, body: unknown, tail: readonly Uint8Array[] = []): Uint8Array[] {
  const packed = body === undefined ? NOTHING : packer.serialize([body], CONTEXT);
  const head = new Uint8Array(LENGTH_BYTES + BODY_AT + packed.byteLength);
  const view = new DataView(head.buffer);
  let byteLength = BODY_AT + packed.byteLength;
  for (const part of tail) byteLength += part.byteLength;
  if (byteLength > FRAME_BYTE_LENGTH_MAX) throw badFrame(`expected at most ${FRAME_BYTE_LENGTH_MAX} bytes, found ${byteLength}`);
  view.setUint32(0, byteLength);
  head[LENGTH_BYTES] = kind;
  view.setUint32(LENGTH_BYTES + ID_AT, id);
  view.setUint32(LENGTH_BYTES + BODY_LENGTH_AT, packed.byteLength);
  head.set(packed, LENGTH_BYTES + BODY_AT);
  return [head, ...tail];
}

/** Throws for what is no frame. */
export function parseFrame(bytes: Bytes): Frame {
  if (bytes.byteLength < BODY_AT) throw badFrame(`expected at least ${BODY_AT} bytes, found ${bytes.byteLength}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyEnd = BODY_AT + view.getUint32(BODY_LENGTH_AT);
  if (bodyEnd > bytes.byteLength) throw badFrame(`its body ends at byte ${bodyEnd}, the frame at ${bytes.byteLength}`);
  let body: unknown;
  if (bodyEnd > BODY_AT) {
    try {
      body = (packer.deserialize(bytes.subarray(BODY_AT, bodyEnd), CONTEXT) as readonly unknown[])[0];
    } catch (cause) {
      throw badFrame("its body is not MessagePack", cause);
    }
  }
  return { kind: bytes[0] as number, id: view.getUint32(ID_AT), body, tail: bytes.subarray(bodyEnd) };
}

export function badFrame(found: string, cause?: unknown): OdradekError {
  return new OdradekError("INVALID_REQUEST", `attached process: a frame that makes no sense: ${found}`, { cause });
}

/** What a length alone makes us set aside; beyond it room grows with what has come. */
const ROOM_BYTE_LENGTH_MAX = 1024 * 1024;

/**
 * Cuts a stream into frames. A large frame gets memory of its own, little more than has come of it, so that nobody fills us with lengths;
 * small ones are views of the pieces they came in.
 */
export class FrameCutter {
  /** Raised when the other side has said who it is. */
  byteLengthMax: number = HELLO_BYTE_LENGTH_MAX;
  readonly #take: (frame: Bytes) => void;
  #length: Bytes = new Uint8Array(LENGTH_BYTES);
  #lengthFilled = 0;
  #frame: Bytes | null = null;
  /** Of the frame, when it is whole. */
  #frameByteLength = 0;
  #filled = 0;

  constructor(take: (frame: Bytes) => void) {
    this.#take = take;
  }

  /** Throws for a length that no frame has, and what `take` throws. */
  push(piece: Bytes): void {
    for (let at = 0; at < piece.byteLength; ) {
      if (this.#frame !== null) {
        const count = Math.min(this.#frameByteLength - this.#filled, piece.byteLength - at);
        const frame = this.#withRoom(this.#frame, this.#filled + count);
        frame.set(piece.subarray(at, at + count), this.#filled);
        this.#filled += count;
        at += count;
        if (this.#filled === this.#frameByteLength) this.#done(frame.subarray(0, this.#filled));
        continue;
      }
      while (this.#lengthFilled < LENGTH_BYTES && at < piece.byteLength) this.#length[this.#lengthFilled++] = piece[at++] as number;
      if (this.#lengthFilled < LENGTH_BYTES) return;
      const byteLength = new DataView(this.#length.buffer).getUint32(0);
      if (byteLength < BODY_AT || byteLength > this.byteLengthMax) {
        throw badFrame(`expected a length of ${BODY_AT} to ${this.byteLengthMax} bytes, found ${byteLength}`);
      }
      if (byteLength <= piece.byteLength - at) {
        this.#done(piece.subarray(at, at + byteLength));
        at += byteLength;
      } else {
        this.#frame = new Uint8Array(Math.min(byteLength, ROOM_BYTE_LENGTH_MAX));
        this.#frameByteLength = byteLength;
        this.#filled = 0;
      }
    }
  }

  #withRoom(frame: Bytes, byteLength: number): Bytes {
    if (byteLength <= frame.byteLength) return frame;
    const larger = new Uint8Array(Math.min(this.#frameByteLength, Math.max(byteLength, frame.byteLength * 2)));
    larger.set(frame);
    this.#frame = larger;
    return larger;
  }

  #done(frame: Bytes): void {
    this.#frame = null;
    this.#lengthFilled = 0;
    this.#take(frame);
  }
}

/** What a message port carried, without its length; throws for anything but a whole frame. */
export function parseLength(message: unknown): Bytes {
  if (!(message instanceof Uint8Array) || message.byteLength < LENGTH_BYTES) throw badFrame("expected a message of bytes");
  const byteLength = new DataView(message.buffer, message.byteOffset).getUint32(0);
  if (byteLength !== message.byteLength - LENGTH_BYTES)
    throw badFrame(`its length says ${byteLength}, it has ${message.byteLength - LENGTH_BYTES}`);
  return message.subarray(LENGTH_BYTES) as Bytes;
}
