/**
 * No store at all: the bytes of the records in a file, read back by their length. What it reaches is what the system lets anybody reach.
 * A batch is one write; many appenders at once share a write and a flush.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { joined, parted } from "../sample.mjs";

export const name = "raw file";
export const isDurable = true;
const MIB = 1 << 20;

export async function store(directory, { durable, valueByteLength }) {
  const path = join(directory, "raw");
  const file = await open(path, "a+");
  const fd = openSync(path, "r+");
  const byteLength = 16 + valueByteLength;
  let end = fstatSync(fd).size;
  const blocks = new Map();
  let waiting = [];
  const flush = async () => {
    const turn = waiting;
    waiting = [];
    end += writeSync(fd, Buffer.concat(turn.map(({ bytes }) => bytes)), 0, undefined, end);
    if (durable) await file.datasync();
    for (const { resolve } of turn) resolve();
    running = waiting.length > 0 ? flush() : null;
  };
  let running = null;
  let flushing = Promise.resolve();
  return {
    async appendBatch(records) {
      if (!blocks.has(records)) blocks.set(records, Buffer.concat(records.map(joined)));
      const block = blocks.get(records);
      end += writeSync(fd, block, 0, block.length, end);
      if (!durable) return;
      // One flush after the other: what is given ahead is written meanwhile, and waits for a flush of its own.
      await flushing;
      flushing = file.datasync();
      await flushing;
    },
    append: (record) =>
      new Promise((resolve) => {
        waiting.push({ bytes: joined(record), resolve });
        running ??= Promise.resolve().then(flush);
      }),
    scan(see) {
      const perBlock = Math.floor(MIB / byteLength);
      for (let at = 0; at < end; at += perBlock * byteLength) {
        const block = new Uint8Array(Math.min(perBlock * byteLength, end - at));
        readSync(fd, block, 0, block.length, at);
        for (let record = 0; record < block.length; record += byteLength)
          see(block.subarray(record, record + 16), block.subarray(record + 16, record + byteLength));
      }
    },
    read(offset) {
      const bytes = Buffer.allocUnsafe(byteLength);
      readSync(fd, bytes, 0, byteLength, offset * byteLength);
      return parted(bytes);
    },
    async close() {
      await running;
      closeSync(fd);
      await file.close();
    },
  };
}
