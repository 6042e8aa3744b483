/** lmdb: batches by transactionSync, single records by put, each commit flushed where it is durable (overlappingSync off). */
import { join } from "node:path";
import { open } from "lmdb";
import { joined, parted } from "../sample.mjs";

import { versionOf } from "../version-of.mjs";

export const name = "lmdb";
export const version = versionOf("lmdb");
export const isDurable = true;

export function store(directory, { durable }) {
  const db = open({
    path: join(directory, "data.mdb"),
    encoding: "binary",
    keyEncoding: "uint32",
    noSync: !durable,
    overlappingSync: false,
    compression: false,
  });
  let end = db.getCount();
  return {
    appendBatch(records) {
      db.transactionSync(() => {
        for (const record of records) void db.put(end++, joined(record));
      });
    },
    /** The puts of a turn are a commit in another thread, which the last one waits for: the next are made meanwhile. */
    appendBatchAhead: (records) => records.map((record) => db.put(end++, joined(record))).at(-1),
    append: (record) => db.put(end++, joined(record)),
    scan(see) {
      for (const { value } of db.getRange()) {
        const { key, value: rest } = parted(value);
        see(key, rest);
      }
    },
    read: (offset) => parted(db.get(offset)),
    close: () => db.close(),
  };
}
