/** hypercore: appends of many blocks, reads in windows of 256. It flushes nothing by itself, so it is not durable. */
import Hypercore from "hypercore";
import { joined, parted } from "../sample.mjs";

import { versionOf } from "../version-of.mjs";

export const name = "hypercore";
export const version = versionOf("hypercore");
export const isDurable = false;
/** It is slow: a log that the others fill in a second takes it ten. */
export const recordsMax = 30_000;
const WINDOW = 256;

export async function store(directory) {
  const core = new Hypercore(directory);
  await core.ready();
  return {
    appendBatch: (records) => core.append(records.map(joined)),
    append: (record) => core.append(joined(record)),
    async scan(see) {
      for (let from = 0; from < core.length; from += WINDOW) {
        const window = Array.from({ length: Math.min(WINDOW, core.length - from) }, (_, index) => core.get(from + index));
        for (const bytes of await Promise.all(window)) {
          const { key, value } = parted(bytes);
          see(key, value);
        }
      }
    },
    read: async (offset) => parted(await core.get(offset)),
    close: () => core.close(),
  };
}
