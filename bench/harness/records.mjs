/** The records that the budgets speak of: a 16-byte key and a value of so many bytes. */

export function someRecords(topic, count, valueByteLength, partition = undefined) {
  return Array.from({ length: count }, (_, index) => ({
    topic,
    partition,
    key: `key-${String(index).padStart(12, "0")}`,
    value: new Uint8Array(valueByteLength).fill(97 + (index % 26)),
  }));
}

/** What one record takes on disk beside its share of the batch header, near enough for a raw loop of the same bytes. */
export function framedByteLength(valueByteLength) {
  return 16 + valueByteLength + (valueByteLength < 64 ? 8 : 10);
}
