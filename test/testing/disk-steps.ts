/** Random histories of a disk: what may be done to it, and doing it on any driver. */
import fc from "fast-check";
import type { StorageDriver } from "../../src/api/storage-driver.ts";

export const SECTOR = 16;

export type Step =
  | { readonly do: "write"; readonly file: number; readonly position: number; readonly byteLength: number; readonly fill: number }
  | { readonly do: "truncate"; readonly file: number; readonly byteLength: number }
  | { readonly do: "sync" | "remove" | "syncDirectory"; readonly file: number }
  | { readonly do: "replace"; readonly file: number; readonly onto: number };

/** Two files in the root and two in the directory "d". */
export const FILES: readonly string[] = ["a", "b", "d/a", "d/b"];
const file = fc.nat({ max: FILES.length - 1 });
const position = fc.nat({ max: 5 * SECTOR });
export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("write" as const),
    file,
    position,
    byteLength: fc.integer({ min: 1, max: 3 * SECTOR }),
    fill: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ do: fc.constant("truncate" as const), file, byteLength: position }),
  fc.record({ do: fc.constantFrom("sync" as const, "remove" as const, "syncDirectory" as const), file }),
  fc.record({ do: fc.constant("replace" as const), file, onto: file }),
);

/** Does one step; what the rules of names forbid does nothing, on every driver alike. */
export async function take(driver: StorageDriver, one: Step): Promise<void> {
  const name = FILES[one.file]!;
  const directory = name.includes("/") ? "d" : "";
  const exists = (await driver.list(directory)).some((entry) => name.endsWith(entry.name) && entry.kind === "file");
  if (one.do === "syncDirectory") return driver.syncDirectory(directory);
  if (one.do === "replace") {
    const onto = FILES[one.onto]!;
    if (exists && onto.includes("/") === name.includes("/")) await driver.replace(name, onto);
    return;
  }
  if (one.do === "remove") {
    if (exists) await driver.remove(name);
    return;
  }
  const handle = await driver.open(name, { create: "if-missing" });
  if (one.do === "write") handle.writeAt(new Uint8Array(one.byteLength).fill(one.fill), one.position);
  else if (one.do === "truncate") handle.truncate(one.byteLength);
  else await handle.sync();
  await handle.close();
}
