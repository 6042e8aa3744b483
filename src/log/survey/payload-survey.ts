/** Whether the records of a batch whose checksum holds can be read: opened within the bound, framed, and of offsets that the header allows. */
import { OdradekError } from "../../base/errors.ts";
import { RecordCursor, RecordFramingError } from "../../base/record-decoder.ts";
import type { Compression } from "../../compression/compression.ts";
import { CorruptBatchError } from "../../core/corrupt-batch-error.ts";
import type { ScannedBatch } from "../batch/batch-scan.ts";
import type { Defect } from "../files/defect.ts";

/** null: every record can be read. The bytes are those that the producer sent: no repair knows better ones. */
export function payloadDefect(compression: Compression, file: string, bytes: Uint8Array, batch: ScannedBatch): Defect | null {
  const reason = problemOf(compression, bytes);
  if (reason === null) return null;
  const { position, byteLength, baseOffset, lastOffset } = batch;
  const end = position + byteLength;
  return {
    kind: "payload",
    file,
    byteRange: [position, end],
    offsetRange: [baseOffset, lastOffset],
    problem: `${file}: bytes ${position} to ${end} (offsets ${baseOffset} to ${lastOffset}) are a whole batch whose records cannot be read: ${reason}`,
    remedy: `so they were sent; a reader goes on behind them with a seek to ${lastOffset + 1}`,
  };
}

function problemOf(compression: Compression, bytes: Uint8Array): string | null {
  try {
    const cursor = new RecordCursor(compression.decompressBatch(bytes));
    while (cursor.next()) if (cursor.headersCount > 0) cursor.decodeHeaders();
    return null;
  } catch (error) {
    if (error instanceof CorruptBatchError || error instanceof RecordFramingError || error instanceof OdradekError) return error.message;
    throw error;
  }
}
