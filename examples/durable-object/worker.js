/** A log for each customer, in a Durable Object of its own: `POST /customers/NAME/orders` keeps an order, `GET` lists them. */
import { DurableObject } from "cloudflare:workers";
import { open } from "odradek";
import { durableObject } from "odradek/durable-object";

export class Orders extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.log = await open({ storage: durableObject(ctx), topicDefaults: { segmentBytes: 64 << 20 } });
      await this.log.createTopic("orders", { ifNotExists: true });
      this.producer = this.log.producer();
    });
  }

  append(order) {
    return this.producer.send({ topic: "orders", key: order.id, value: order });
  }

  async list() {
    const orders = [];
    const consumer = this.log.consumer();
    await consumer.assign([{ topic: "orders", partition: 0 }]);
    for await (const { value } of consumer.records({ until: "end" })) orders.push(value);
    await consumer.close();
    return orders;
  }
}

export default {
  async fetch(request, env) {
    const [, name] = /^\/customers\/([^/]+)\/orders$/.exec(new URL(request.url).pathname) ?? [];
    if (name === undefined) return new Response("expected /customers/NAME/orders", { status: 404 });
    const customer = env.ORDERS.get(env.ORDERS.idFromName(name));
    if (request.method === "POST") return Response.json(await customer.append(await request.json()), { status: 201 });
    return Response.json(await customer.list());
  },
};
