/** examples/durable-object in workerd, on disk: what was answered is there after `kill -9`. `durable-object.mjs WORKERD CONFIG DISK` */
import { report, told } from "./told.mjs";
import { WorkerdServer } from "./workerd-server.mjs";

const [program, config, disk] = process.argv.slice(2);
const server = new WorkerdServer(program, config, disk);
await server.start();

await told("keeps each customer's orders apart, and answers when they outlive the power", async () => {
  for (let i = 0; i < 5; i += 1) {
    const { offset, durability } = await post("anna", { id: `a-${i}`, count: i });
    if (offset !== i || durability !== "power") throw new Error(`order ${i} was answered ${offset}, ${durability}`);
  }
  await post("bert", { id: "b-0", count: 1 });
  await lists("anna", ["a-0", "a-1", "a-2", "a-3", "a-4"]);
  await lists("bert", ["b-0"]);
});
await told("has every order that was answered after kill -9", async () => {
  await post("anna", { id: "a-5", count: 5 });
  await server.kill();
  await server.start();
  await lists("anna", ["a-0", "a-1", "a-2", "a-3", "a-4", "a-5"]);
  const { offset } = await post("anna", { id: "a-6", count: 6 });
  if (offset !== 6) throw new Error(`the next order was put at ${offset}`);
});
await server.kill();
report();

async function post(customer, order) {
  const response = await server.fetch(`/customers/${customer}/orders`, { method: "POST", body: JSON.stringify(order) });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

async function lists(customer, ids) {
  const found = (await server.ask(`/customers/${customer}/orders`)).map(({ id }) => id);
  if (found.join() !== ids.join()) throw new Error(`expected ${ids}, found ${found}`);
}
