/** A log of one partition, open, with so many records in batches of a thousand. */
import { open, utf8 } from "odradek";
import { freshDirectory } from "./places.mjs";

/** `records` are sent again and again until there are `total`. */
export async function filledLog(total, valueSerde, records, config = {}) {
  const directory = freshDirectory("filled");
  const log = await open(directory);
  await log.createTopic("t", { durability: "os", ...config });
  const producer = log.producer({ key: utf8, value: valueSerde });
  for (let sent = 0; sent < total; sent += records.length) await producer.sendBatch(records);
  return { directory, log };
}
