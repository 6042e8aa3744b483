/** The processes that a process has started, and that those have: whoever gives up on one gives up on all of them. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * Their ids, as of now; by /proc, and where there is none, nobody's.
 * @param {number} pid
 * @returns {number[]}
 */
export function descendantsOf(pid) {
  const children = new Map();
  for (const id of processIds()) {
    const parent = parentOf(id);
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  const found = [];
  const visit = (id) => {
    for (const child of children.get(id) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

/**
 * Ends a process and all that it has started, at once.
 * @param {number} pid
 */
export function killWithDescendants(pid) {
  // Looked for before the first one goes: who has lost its parent is nobody's any more.
  for (const id of [pid, ...descendantsOf(pid)]) {
    try {
      process.kill(id, "SIGKILL");
    } catch {
      // It has gone meanwhile.
    }
  }
}

function processIds() {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function parentOf(id) {
  try {
    // The name, in brackets, may hold anything.
    return Number(readFileSync(`/proc/${id}/stat`, "utf8").split(") ").at(-1).split(" ")[1]);
  } catch {
    return null;
  }
}
