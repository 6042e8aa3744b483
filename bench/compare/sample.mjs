/** The records that every peer is given: a thousand of them, again and again, so that the one at each offset is known. */

export const BATCH = 1000;
export const KEY_BYTE_LENGTH = 16;

/** `[{ key, value }]`, text that does not compress. The value's length is exact. */
export function sampleOf(valueByteLength) {
  let state = 1;
  const byte = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 24;
  };
  const textOf = (byteLength) =>
    Buffer.from(
      Buffer.from(Array.from({ length: byteLength }, byte))
        .toString("base64")
        .slice(0, byteLength),
      "latin1",
    );
  return Array.from({ length: BATCH }, (_, index) => {
    const key = Buffer.from(String(index).padStart(KEY_BYTE_LENGTH, "k"), "latin1");
    return { key, value: textOf(valueByteLength) };
  });
}

/** One buffer of both, for stores that keep one. */
export function joined({ key, value }) {
  return Buffer.concat([key, value]);
}

/** Views of both in what `joined` made. */
export function parted(bytes) {
  return { key: bytes.subarray(0, KEY_BYTE_LENGTH), value: bytes.subarray(KEY_BYTE_LENGTH) };
}

/** Compares what a store gives back, record by record. With `ordered` false, records may stand in any order but each must be one of ours. */
export class Judge {
  #sample;
  #byKey;
  #ordered;
  seen = 0;

  constructor(sample, ordered = true) {
    this.#sample = sample;
    this.#ordered = ordered;
    this.#byKey = new Map(sample.map(({ key, value }) => [key.toString("latin1"), value]));
  }

  see(key, value) {
    const expected = this.#ordered ? this.#sample[this.seen % BATCH] : null;
    const isRight =
      expected === null
        ? (this.#byKey.get(Buffer.from(key).toString("latin1"))?.equals(value) ?? false)
        : expected.key.equals(key) && expected.value.equals(value);
    if (!isRight) throw new Error(`record ${this.seen} is not what was stored: ${Buffer.from(key).toString("latin1")}`);
    this.seen += 1;
  }

  end(expected) {
    if (this.seen !== expected) throw new Error(`${expected} records were stored and ${this.seen} came back`);
  }
}
