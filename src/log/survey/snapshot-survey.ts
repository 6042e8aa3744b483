/** Which `.snapshot` files of a partition are not what a log may believe: an opening passes over such a one, and reads more of the log. */
import { OdradekError } from "../../base/errors.ts";
import type { LogContext } from "../context/log-context.ts";
import { type Defect, REMEDY_REPAIR } from "../files/defect.ts";
import { parseSegmentFileName } from "../files/file-names.ts";
import { inDirectory, readWholeFile } from "../files/replace-file.ts";
import { decodeProducerSnapshot, SNAPSHOT_BYTE_LENGTH_MAX } from "../producers/producer-snapshot.ts";

export async function snapshotDefects({ storage, core }: LogContext, directory: string): Promise<Defect[]> {
  const defects: Defect[] = [];
  for (const { name, kind } of await storage.list(directory)) {
    const parsed = parseSegmentFileName(name);
    if (kind !== "file" || parsed?.kind !== "snapshot" || parsed.suffix !== "") continue;
    const file = inDirectory(directory, name);
    const problem = await problemOf(file, parsed.baseOffset, { storage, core });
    if (problem === null) continue;
    defects.push({ kind: "snapshot", file, byteRange: null, offsetRange: null, problem, remedy: REMEDY_REPAIR });
  }
  return defects;
}

async function problemOf(file: string, offset: number, { storage, core }: Pick<LogContext, "storage" | "core">): Promise<string | null> {
  try {
    const bytes = await readWholeFile(storage, file, SNAPSHOT_BYTE_LENGTH_MAX);
    if (bytes === null) return null;
    for (const { producerId, lastBatch, transactionFirstOffset } of decodeProducerSnapshot(bytes, file, core)) {
      const last = Math.max(lastBatch?.lastOffset ?? -1, transactionFirstOffset);
      if (last >= offset) return `${file}: expected nothing from offset ${offset} on, found producer ${producerId} at offset ${last}`;
    }
    return null;
  } catch (error) {
    if (error instanceof OdradekError && error.code === "BOOK_CORRUPT") return error.message;
    throw error;
  }
}
