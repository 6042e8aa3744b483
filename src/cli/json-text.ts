/** Values as one line of JSON: bytes as `{"base64": …}`, and a word for every number that JSON has none for. */

export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) => {
    if (field instanceof Uint8Array) return { base64: Buffer.from(field.buffer, field.byteOffset, field.byteLength).toString("base64") };
    if (typeof field === "bigint") return String(field);
    if (typeof field === "number" && !Number.isFinite(field)) return String(field);
    if (field instanceof Map) return Object.fromEntries(field);
    return field;
  });
}

/** The bytes that `{"base64": …}` stands for; null for any other value. */
export function bytesOfJson(value: unknown): Uint8Array | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const names = Object.keys(value);
  const text = (value as { readonly base64?: unknown }).base64;
  if (names.length !== 1 || typeof text !== "string") return null;
  // Node passes over characters that are no base64; what does not come back as it was given is refused.
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64").replace(/=+$/u, "") === text.replace(/=+$/u, "") ? new Uint8Array(bytes) : null;
}
