/** Bytes to compress: from what does not shrink to what is all one byte. */
import fc from "fast-check";

/** Pseudo-random, repeatable, and of no use to any codec. */
export function noise(byteLength: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength);
  let state = seed >>> 0;
  for (let at = 0; at < byteLength; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Lines as services log them. */
export function logLines(byteLength: number, seed = 7): Uint8Array<ArrayBuffer> {
  const random = noise(Math.ceil(byteLength / 20) + 64, seed);
  let text = "";
  for (let i = 0; text.length < byteLength; i += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((k) => random[(i + k) % random.length] as number) as [number, number, number, number];
    text += `${JSON.stringify({
      time: new Date(1_700_000_000_000 + i * 1000 + a).toISOString(),
      level: ["info", "warn", "error", "debug"][a & 3],
      service: ["checkout", "search", "login", "cart", "billing"][b % 5],
      requestId: `${(a * 65536 + b * 256 + c).toString(16)}-${(d * 7919).toString(16)}`,
      userId: b * 256 + c,
      durationMs: d,
      message: "request handled",
      path: `/api/v1/items/${c * d}`,
    })}\n`;
  }
  return new TextEncoder().encode(text).slice(0, byteLength);
}

/** Stretches of noise, of one byte, of a short period, and of what stood before, near and far. */
export const anyContent: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc
  .array(
    fc.record({
      kind: fc.constantFrom("noise", "run", "period", "again"),
      byteLength: fc.oneof(
        { weight: 6, arbitrary: fc.nat(40) },
        { weight: 3, arbitrary: fc.nat(700) },
        { weight: 1, arbitrary: fc.nat(70_000) },
      ),
      seed: fc.nat(0xffffffff),
    }),
    { maxLength: 14 },
  )
  .map((stretches) => {
    const whole = new Uint8Array(stretches.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const { kind, byteLength, seed } of stretches) {
      const end = at + byteLength;
      if (kind === "noise" || (kind === "again" && at === 0)) whole.set(noise(byteLength, seed), at);
      else if (kind === "run") whole.fill(seed & 0xff, at, end);
      else {
        const distance = kind === "period" ? 1 + (seed % 20) : 1 + (seed % at);
        for (let i = at; i < end; i++) whole[i] = i >= distance ? (whole[i - distance] as number) : seed & 0xff;
      }
      at = end;
    }
    return whole;
  });
