/** examples/durable-object in workerd, on disk: what was answered is there after `kill -9`. `durable-object.mjs WORKERD CONFIG DISK` */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { report, told } from "./told.mjs";

const [program, config, disk] = process.argv.slice(2);
mkdirSync(disk, { recursive: true });
let server = await serve();

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
  server.child.kill("SIGKILL");
  await server.over;
  server = await serve();
  await lists("anna", ["a-0", "a-1", "a-2", "a-3", "a-4", "a-5"]);
  const { offset } = await post("anna", { id: "a-6", count: 6 });
  if (offset !== 6) throw new Error(`the next order was put at ${offset}`);
});
server.child.kill();
await server.over;
report();

async function post(customer, order) {
  const response = await fetch(`${server.url}/customers/${customer}/orders`, { method: "POST", body: JSON.stringify(order) });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

async function lists(customer, ids) {
  const found = (await (await fetch(`${server.url}/customers/${customer}/orders`)).json()).map(({ id }) => id);
  if (found.join() !== ids.join()) throw new Error(`expected ${ids}, found ${found}`);
}

async function serve() {
  const args = ["serve", "--control-fd=3", `--directory-path=disk=${disk}`, config];
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit", "pipe"] });
  const over = new Promise((resolve) => child.on("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    let said = "";
    child.stdio[3].on("data", (piece) => {
      said += piece;
      const found = /"port":\s*(\d+)/.exec(said);
      if (found !== null) resolve(Number(found[1]));
    });
    void over.then((code) => reject(new Error(`workerd ended with ${code} before it listened`)));
  });
  return { child, over, url: `http://127.0.0.1:${port}` };
}
