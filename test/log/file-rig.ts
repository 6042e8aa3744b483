/** A file of a log's directory in a test's hands: opened for one piece of work, or read whole. */
import type { StorageDriver, StorageFile } from "../../src/api/storage-driver.ts";

export async function withFile<Result>(storage: StorageDriver, name: string, work: (file: StorageFile) => Result): Promise<Result> {
  const file = await storage.open(name, { create: "if-missing" });
  try {
    return work(file);
  } finally {
    await file.close();
  }
}

export function bytesOf(storage: StorageDriver, name: string): Promise<Uint8Array> {
  return withFile(storage, name, (file) => {
    const bytes = new Uint8Array(file.byteLength());
    file.readAt(bytes, 0);
    return bytes;
  });
}
