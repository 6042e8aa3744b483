/** classic-level, LevelDB itself: batches and puts, with `sync` where they are durable. */
import { ClassicLevel } from "classic-level";
import { joined, parted } from "../sample.mjs";

import { versionOf } from "../version-of.mjs";

export const name = "classic-level";
export const version = versionOf("classic-level");
export const isDurable = true;

export async function store(directory, { durable }) {
  const db = new ClassicLevel(directory, { keyEncoding: "buffer", valueEncoding: "buffer" });
  await db.open();
  let end = 0;
  for (const [key] of await db.iterator({ reverse: true, limit: 1 }).all()) end = key.readUInt32BE() + 1;
  const options = { sync: durable };
  const keyAt = (offset) => {
    const key = Buffer.allocUnsafe(4);
    key.writeUInt32BE(offset);
    return key;
  };
  return {
    appendBatch: (records) =>
      db.batch(
        records.map((record) => ({ type: "put", key: keyAt(end++), value: joined(record) })),
        options,
      ),
    append: (record) => db.put(keyAt(end++), joined(record), options),
    async scan(see) {
      const iterator = db.iterator({ highWaterMarkBytes: 1 << 20 });
      for (let entries = await iterator.nextv(1000); entries.length > 0; entries = await iterator.nextv(1000)) {
        for (const [, bytes] of entries) {
          const { key, value } = parted(bytes);
          see(key, value);
        }
      }
      await iterator.close();
    },
    read: (offset) => parted(db.getSync(keyAt(offset))),
    close: () => db.close(),
  };
}
