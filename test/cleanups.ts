/**
 * What is to be done behind every test that made something. Files that share a process share its modules, too, which are run once: a hook
 * that a module sets up as it is loaded is that of the first file alone, and the logs and directories of all others stayed.
 */
type CleanUp = () => void | Promise<void>;

const cleanUps: CleanUp[] = [];

/** Called behind every test of every file of the process, in the order they came. For modules that several test files share. */
export function afterEveryTest(cleanUp: CleanUp): void {
  cleanUps.push(cleanUp);
}

export async function cleanUp(): Promise<void> {
  for (const each of cleanUps) await each();
}
