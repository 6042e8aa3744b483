/** The flights as published: a JSON file of the package vega-datasets (US Bureau of Transportation Statistics, 2001). */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const SETS = {
  // 20,000 flights with origin and destination: counted by the airport they left from.
  "20k": { file: "flights-20k.json", key: (flight) => flight.origin },
  // 200,000 flights without: counted by the hour they left in.
  "200k": { file: "flights-200k.json", key: (flight) => `hour-${String(Math.floor(flight.time)).padStart(2, "0")}` },
};

/** The flights of a set, in the order of the file, and the key that each is filed under. */
export async function flightSource(name) {
  const set = SETS[name];
  if (set === undefined) throw new Error(`--flights: expected ${Object.keys(SETS).join(" or ")}, found ${name}`);
  // The package exports its program alone; the data lie beside it.
  const program = fileURLToPath(import.meta.resolve("vega-datasets"));
  const path = join(dirname(program), "..", "data", set.file);
  return { flights: JSON.parse(await readFile(path, "utf8")), key: set.key };
}
