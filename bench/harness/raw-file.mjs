/** What the system alone does with bytes: sequential writes, writes that are flushed, reads, copies in memory. Each answers bytes a second. */
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

export const BLOCK_BYTE_LENGTH = 128 * 1024;
const block = new Uint8Array(BLOCK_BYTE_LENGTH).fill(7);
const copied = new Uint8Array(1 << 20).fill(7);
const copy = new Uint8Array(1 << 20);

const perSecond = (byteLength, started) => (byteLength / (performance.now() - started)) * 1000;

/** `byteLength` bytes in blocks of 128 KiB into a file of its own, begun anew each time. */
export function sequentialWrite(directory, byteLength) {
  const file = openSync(join(directory, "raw-write"), "w");
  const started = performance.now();
  for (let at = 0; at < byteLength; ) at += writeSync(file, block, 0, Math.min(block.length, byteLength - at), at);
  const speed = perSecond(byteLength, started);
  ftruncateSync(file, 0);
  closeSync(file);
  return speed;
}

/** The same bytes as above in blocks of so many, `datasync` awaited after each. */
export async function flushedWrite(directory, byteLength, blockByteLength) {
  const file = await open(join(directory, "raw-flushed"), "w");
  const one = new Uint8Array(blockByteLength).fill(7);
  const started = performance.now();
  for (let at = 0; at < byteLength; ) {
    at += writeSync(file.fd, one, 0, Math.min(one.length, byteLength - at), at);
    await file.datasync();
  }
  const speed = perSecond(byteLength, started);
  await file.close();
  return speed;
}

/** The file at `path` read once, 1 MiB at a time, into the same memory. */
export function sequentialRead(path) {
  const file = openSync(path, "r");
  const started = performance.now();
  let total = 0;
  for (let count = -1; count !== 0; total += count) count = readSync(file, copy, 0, copy.length, total);
  const speed = perSecond(total, started);
  closeSync(file);
  return speed;
}

/** `byteLength` bytes copied 1 MiB at a time. */
export function memcpy(byteLength) {
  const started = performance.now();
  for (let done = 0; done < byteLength; done += copied.length) copy.set(copied);
  return perSecond(byteLength, started);
}
