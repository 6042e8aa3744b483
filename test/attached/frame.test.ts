/** Frames to the byte: what they are made of, where they end, and what passes for none. */
import { describe, expect, it } from "vitest";
import {
  FRAME_BYTE_LENGTH_MAX,
  FrameCutter,
  frameParts,
  HELLO_BYTE_LENGTH_MAX,
  KIND,
  parseFrame,
  parseLength,
} from "../../src/attached/frame.ts";

const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));
const NO_FRAME = expect.objectContaining({
  code: "INVALID_REQUEST",
  message: expect.stringContaining("a frame that makes no sense") as string,
}) as Error;

/** A length, and so many bytes behind it. */
function lengthOf(said: number, byteLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + byteLength);
  new DataView(bytes.buffer).setUint32(0, said);
  return bytes;
}

describe("a frame", () => {
  it("is its length, kind, id, the length of its body, the body, and the tail as it is", () => {
    expect([...joined(frameParts(KIND.pulse, 0, undefined))]).toEqual([0, 0, 0, 9, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    // [7] in MessagePack is 0x91 0x07.
    const frame = joined(frameParts(KIND.call, 0x01020304, 7, [Uint8Array.of(0xaa), new Uint8Array(0), Uint8Array.of(0xbb, 0xcc)]));
    expect([...frame]).toEqual([0, 0, 0, 14, 3, 1, 2, 3, 4, 0, 0, 0, 2, 0x91, 7, 0xaa, 0xbb, 0xcc]);
    const { tail, ...rest } = parseFrame(frame.subarray(4));
    expect([rest, [...tail]]).toEqual([{ kind: KIND.call, id: 0x01020304, body: 7 }, [0xaa, 0xbb, 0xcc]]);
  });

  it("carries what is given it, nothing at all included, which is not null", () => {
    for (const body of [undefined, null, false, 0, "", [], {}, [null, 7]]) {
      const frame = parseFrame(joined(frameParts(KIND.answer, 0xffffffff, body)).subarray(4));
      expect(frame).toEqual({ kind: KIND.answer, id: 0xffffffff, body, tail: new Uint8Array(0) });
    }
  });

  it("may be as long as a frame may be, and not a byte longer", () => {
    const tailOf = (byteLength: number) => [{ byteLength } as Uint8Array];
    expect(frameParts(KIND.call, 1, undefined, tailOf(FRAME_BYTE_LENGTH_MAX - 9))).toHaveLength(2);
    expect(() => frameParts(KIND.call, 1, undefined, tailOf(FRAME_BYTE_LENGTH_MAX - 8))).toThrow(NO_FRAME);
  });

  it("is none that is shorter than its head, than its body, or whose body is nothing that was packed", () => {
    const head = (bodyLength: number, ...body: number[]) => Uint8Array.of(3, 0, 0, 0, 1, 0, 0, 0, bodyLength, ...body);
    expect(() => parseFrame(new Uint8Array(8))).toThrow(NO_FRAME);
    expect(parseFrame(head(2, 0x91, 7)).body).toBe(7);
    expect(() => parseFrame(head(3, 0x91, 7))).toThrow(NO_FRAME);
    expect(() => parseFrame(head(2, 0x91, 0xc1))).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", cause: expect.anything() as unknown }),
    );
  });
});

describe("a stream", () => {
  it.each([
    [9, HELLO_BYTE_LENGTH_MAX],
    [8, "no frame"],
    [HELLO_BYTE_LENGTH_MAX, HELLO_BYTE_LENGTH_MAX],
    [HELLO_BYTE_LENGTH_MAX + 1, "no frame"],
    [HELLO_BYTE_LENGTH_MAX + 1, FRAME_BYTE_LENGTH_MAX],
  ])("with a length of %d, where so much is allowed: %s", (said, allowed) => {
    const found: number[] = [];
    const cutter = new FrameCutter((frame) => found.push(frame.byteLength));
    if (typeof allowed === "number") cutter.byteLengthMax = allowed;
    const push = (): void => cutter.push(lengthOf(said, said));
    if (typeof allowed === "string") expect(push).toThrow(NO_FRAME);
    else push();
    expect(found).toEqual(typeof allowed === "string" ? [] : [said]);
  });

  it("ends with what its listener throws, and what it gave before stays given", () => {
    const found: number[] = [];
    const cutter = new FrameCutter((frame) => {
      found.push(frame[0] as number);
      if (found.length === 2) throw new Error("enough");
    });
    const one = lengthOf(9, 9);
    expect(() => cutter.push(joined([one, one, one]))).toThrow("enough");
    expect(found).toHaveLength(2);
  });

  it("gives frames of more than a megabyte whole, whatever the pieces they come in", () => {
    for (const length of [1024 * 1024, 1024 * 1024 + 1, 2 * 1024 * 1024 + 5]) {
      const found: Uint8Array[] = [];
      const cutter = new FrameCutter((frame) => found.push(frame));
      cutter.byteLengthMax = FRAME_BYTE_LENGTH_MAX;
      const sent = lengthOf(length, length);
      for (let at = 4; at < sent.length; at += 997) sent[at] = at % 251;
      const after = lengthOf(9, 9);
      const stream = joined([sent, after]);
      for (let at = 0; at < stream.length; at += 700_000) cutter.push(stream.slice(at, at + 700_000));
      expect(found.map(({ byteLength }) => byteLength)).toEqual([length, 9]);
      expect(Buffer.compare(found[0] as Uint8Array, sent.subarray(4))).toBe(0);
    }
  });
});

describe("a message of a port", () => {
  it("is a whole frame behind its length, and nothing else", () => {
    const message = joined([Uint8Array.of(9, 9), lengthOf(3, 3)]).subarray(2);
    message.set([1, 2, 3], 4);
    expect([...parseLength(message)]).toEqual([1, 2, 3]);
    expect([...parseLength(lengthOf(0, 0))]).toEqual([]);
    for (const wrong of [lengthOf(4, 3), lengthOf(2, 3), new Uint8Array(3), new ArrayBuffer(4), [0, 0, 0, 0], "text", null, undefined])
      expect(() => parseLength(wrong), String(wrong)).toThrow(NO_FRAME);
  });
});
