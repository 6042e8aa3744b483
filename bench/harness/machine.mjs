/** What the figures were measured on. */
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

/** One line: processors, memory, system, Node. Versions of everything else stand in the record's head: see scripts/bench.mjs. */
export function machine() {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpus()[0]?.model.trim()}, ${memory} GiB, ${process.platform} ${release()} ${process.arch}, Node ${process.versions.node}`;
}

/** The kind of file system that a path lies on, by the longest mount point that leads to it; "unknown" where the system has no such list. */
export function fileSystemOf(path) {
  let best = { point: "", kind: "unknown" };
  try {
    for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
      const [, point = "", kind = ""] = line.split(" ");
      const leads = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
      if (kind !== "" && leads && point.length >= best.point.length) best = { point, kind };
    }
  } catch {
    // Not Linux: nobody is told a kind that we would have to guess.
  }
  return best.kind;
}
