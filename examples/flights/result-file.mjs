/** The last load: the counts as a CSV file, replaced whole. */
import { createHash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "csv-stringify/sync";
import { newestCounts } from "./delays.mjs";

const COLUMNS = ["key", "flights", "late", "delay_minutes_mean", "delay_minutes_max", "miles"];

export async function writeResult(log, directory) {
  const counts = [...(await newestCounts(log))].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = counts.map(([key, count]) => [
    key,
    count.flights,
    count.late,
    (count.delayMinutes / count.flights).toFixed(2),
    count.delayMinutesMax,
    count.miles,
  ]);
  const csv = stringify([COLUMNS, ...rows]);
  const file = join(directory, "result.csv");
  await writeFile(`${file}.tmp`, csv);
  await rename(`${file}.tmp`, file);
  return { file, rows: rows.length, sha256: createHash("sha256").update(csv).digest("hex") };
}
