/**
 * A log of so many gibibytes, closed in order, its values zeros that stand on the disk as holes. Made once for a build of the package
 * and kept below build/: to make ten of them takes half a minute.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytes, open } from "odradek";
import { placesRoot } from "./places.mjs";
import { sparseStorage } from "./sparse-storage.mjs";

const MIB = 1 << 20;
/** One batch of 1 MiB holds one record; its header and the record's own bytes stand beside the value. */
const VALUE = new Uint8Array(MIB - 200);
const AT_ONCE = 8;

export async function largeLog(gibibytes) {
  const built = readFileSync(new URL("../../dist/core.wasm", import.meta.url));
  const name = `large-${gibibytes}-${createHash("sha256").update(built).digest("hex").slice(0, 12)}`;
  const directory = join(placesRoot, name);
  const done = join(placesRoot, `${name}.done`);
  if (existsSync(done) && existsSync(directory)) return directory;
  mkdirSync(placesRoot, { recursive: true });
  for (const other of readdirSync(placesRoot).filter((each) => each.startsWith(`large-${gibibytes}-`)))
    rmSync(join(placesRoot, other), { recursive: true, force: true });
  const log = await open({ storage: sparseStorage(directory) });
  await log.createTopic("t", { durability: "os" });
  const producer = log.producer({ value: bytes });
  const records = Array.from({ length: AT_ONCE }, () => ({ topic: "t", key: null, value: VALUE }));
  for (let sent = 0; sent < gibibytes * 1024; sent += AT_ONCE) await producer.sendBatch(records);
  await log.close();
  writeFileSync(done, "");
  return directory;
}
