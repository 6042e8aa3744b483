/**
 * The storage driver for files, but for one thing: pages of zeros written beyond a file's end are not written, they are left as holes.
 * A log of a hundred gibibytes then takes as many bytes on the disk as it holds that are not zero, and is read like any other.
 */
import { nodeStorage } from "../../build/js/storage/node.js";

const PAGE = 4096;

export function sparseStorage(path) {
  const driver = nodeStorage(path);
  return new Proxy(driver, {
    get(target, property) {
      if (property === "open") return async (...args) => sparseFile(await target.open(...args));
      const value = target[property];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function sparseFile(file) {
  let end = file.byteLength();
  return new Proxy(file, {
    get(target, property) {
      if (property === "writeAt") {
        return (bytes, position) => {
          end = Math.max(end, writeSparsely(target, bytes, position, end));
          return bytes.length;
        };
      }
      if (property === "truncate") {
        return (byteLength) => {
          target.truncate(byteLength);
          end = byteLength;
        };
      }
      const value = target[property];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Answers where the file ends afterwards. Below `end` stands something that zeros would have to cover. */
function writeSparsely(file, bytes, position, end) {
  const last = position + bytes.length;
  if (position < end || bytes.length <= PAGE) return written(file, bytes, position);
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    // Pages of the file, not of the batch: a hole is a whole page.
    const until = Math.min(bytes.length, at + PAGE - ((position + at) % PAGE));
    if (until - at === PAGE && isZero(bytes, at)) {
      if (from < at) written(file, bytes.subarray(from, at), position + from);
      from = until;
    }
    at = until;
  }
  if (from < bytes.length) written(file, bytes.subarray(from), position + from);
  else file.truncate(last);
  return last;
}

const NOTHING = Buffer.alloc(PAGE);

function isZero(bytes, at) {
  return NOTHING.equals(bytes.subarray(at, at + PAGE));
}

function written(file, bytes, position) {
  for (let done = 0; done < bytes.length; ) done += file.writeAt(bytes.subarray(done), position + done);
  return position + bytes.length;
}
