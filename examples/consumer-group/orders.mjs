/**
 * Work for the workers.
 *
 *   node orders.mjs [DIRECTORY] [COUNT]
 */
import { open } from "odradek";

const [directory = "./data", count = "60"] = process.argv.slice(2);
const CUSTOMERS = ["anna", "bert", "cleo", "dora", "emil", "fred", "gina", "hugo"];

const log = await open(directory, { attach: true });
try {
  await log.createTopic("orders", { partitions: 6, ifNotExists: true });
  const producer = log.producer();
  const numbers = Array.from({ length: Number(count) }, (_, number) => number);
  // Orders of one customer have one key, so they stand in one partition and are done in order.
  await Promise.all(
    numbers.map((number) => producer.send({ topic: "orders", key: CUSTOMERS[number % CUSTOMERS.length], value: { number, workMs: 10 } })),
  );
  console.log(`${count} orders are kept`);
} finally {
  await log.close();
}
