/** What a peer takes on this machine's disk, with every package that it needs: from the lock, and from what stands in node_modules. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const MIB = 1 << 20;

const CLIENTS = ["redis", "nats"];

/** Null where it is no package that holds its store: a raw file, a part of Node, a client of a server. */
export function installedMiB(peer) {
  if (peer === "odradek") return bytesUnder(dist, (name) => !name.endsWith(".map")) / MIB;
  const { packages } = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  if (CLIENTS.includes(peer) || packages[`node_modules/${peer}`] === undefined) return null;
  const found = new Set();
  const waiting = [`node_modules/${peer}`];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path) || !existsSync(join(folder, path))) continue;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path];
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = resolved(packages, path, needed);
      if (place !== null) waiting.push(place);
    }
  }
  const own = (path) => bytesUnder(join(folder, path), (each) => each !== "node_modules");
  return [...found].reduce((sum, path) => sum + own(path), 0) / MIB;
}

/** As Node looks for it: from the innermost node_modules outwards. */
function resolved(packages, from, needed) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const place = `${at === "" ? "" : `${at}/`}node_modules/${needed}`;
    if (packages[place] !== undefined) return place;
    if (at === "") return null;
  }
}

function bytesUnder(directory, isCounted) {
  let sum = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!isCounted(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) sum += bytesUnder(path, isCounted);
    else if (entry.isFile()) sum += statSync(path).size;
  }
  return sum;
}
