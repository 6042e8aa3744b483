/**
 * Orders over HTTP. Each is kept together with the message that tells others of it, in one transaction: both or neither, whatever dies when.
 * An answer is given when both are on the disk. `relay.mjs` brings the messages to whoever waits for them.
 */
import { randomUUID } from "node:crypto";
import express from "express";

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

export async function shop(log) {
  // The newest state of each order; and what is to be told, in the order in which it happened.
  await log.createTopic("orders", { cleanupPolicy: "compact", ifNotExists: true });
  await log.createTopic("outbox", { retentionMs: WEEK_MS, ifNotExists: true });
  const orders = await log.table("orders");
  const producer = log.producer({ transactionalId: "shop" });

  // A producer has one transaction at a time: requests take turns.
  let turn = Promise.resolve();
  const keep = (order, type) => {
    const kept = turn.then(() =>
      producer.transaction((tx) =>
        tx.sendBatch([
          { topic: "orders", key: order.id, value: order },
          { topic: "outbox", key: order.id, value: { type, order } },
        ]),
      ),
    );
    turn = kept.catch(() => {});
    return kept;
  };

  const app = express();
  app.use(express.json());

  app.post("/orders", async (request, response) => {
    const order = { id: randomUUID(), article: request.body.article, count: request.body.count, state: "placed" };
    await keep(order, "order.placed");
    response.status(201).json(order);
  });

  app.get("/orders/:id", async (request, response) => {
    const order = await orders.get(request.params.id);
    if (order === undefined) response.status(404).json({ error: "there is no such order" });
    else response.json(order);
  });

  return app;
}
