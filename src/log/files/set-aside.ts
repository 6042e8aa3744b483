/** Moves a file that cannot be believed to a name of its own beside it: nothing is deleted on doubt. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { inDirectory } from "./replace-file.ts";

/** Answers the new name, `<name>.set-aside-<n>`, the first that is free; null when there is no such file. Durable when it resolves. */
export async function setAside(storage: StorageDriver, directory: string, name: string): Promise<string | null> {
  const taken = new Set((await storage.list(directory)).map((entry) => entry.name));
  if (!taken.has(name)) return null;
  let number = 1;
  while (taken.has(`${name}.set-aside-${number}`)) number += 1;
  const aside = inDirectory(directory, `${name}.set-aside-${number}`);
  await storage.replace(inDirectory(directory, name), aside);
  await storage.syncDirectory(directory);
  return aside;
}
