/** A batch whose bytes do not add up, met where nobody knows the file: whoever does makes a `CorruptionError` of it. */
export class CorruptBatchError extends Error {
  override readonly name = "CorruptBatchError";
}
