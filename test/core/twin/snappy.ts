/** Snappy blocks read byte by byte, as the format's description says it: slow, and easy to see through. */
export function twinReadSnappyBlock(bytes: Uint8Array): Uint8Array {
  let at = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Error("cut short");
    return bytes[at++] as number;
  };
  const little = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++) value += next() * 256 ** i;
    return value;
  };
  let length = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = next();
    length += (byte & 0x7f) * unit;
    if (byte < 0x80) break;
    if (unit >= 128 ** 4) throw new Error("length");
  }
  if (length >= 2 ** 32) throw new Error("length");
  const out: number[] = [];
  const put = (byte: number): void => {
    if (out.length >= length) throw new Error("too long");
    out.push(byte);
  };
  while (at < bytes.length) {
    const tag = next();
    const sixth = tag >> 2;
    if ((tag & 3) === 0) {
      for (let left = 1 + (sixth < 60 ? sixth : little(sixth - 59)); left > 0; left--) put(next());
      continue;
    }
    const [count, distance] = (tag & 3) === 1 ? [4 + (sixth & 7), (tag >> 5) * 256 + next()] : [1 + sixth, little((tag & 3) === 2 ? 2 : 4)];
    if (distance === 0 || distance > out.length) throw new Error("reaches too far back");
    for (let left = count; left > 0; left--) put(out[out.length - distance] as number);
  }
  if (out.length !== length) throw new Error("too short");
  return Uint8Array.from(out);
}

/** The blocks of a xerial stream, opened and put together. */
export function twinReadXerial(bytes: Uint8Array): Uint8Array {
  if (Buffer.from(bytes.subarray(0, 16)).toString("hex") !== "82534e41505059000000000100000001") throw new Error("header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Uint8Array[] = [];
  for (let at = 16; at < bytes.length; ) {
    const end = at + 4 + view.getInt32(at);
    if (end > bytes.length) throw new Error("cut short");
    parts.push(twinReadSnappyBlock(bytes.subarray(at + 4, end)));
    at = end;
  }
  return new Uint8Array(Buffer.concat(parts));
}
