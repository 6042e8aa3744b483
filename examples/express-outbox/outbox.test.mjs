/** What was answered is kept, and told, though the other side is down and the server is killed. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";

const data = mkdtempSync(join(tmpdir(), "outbox-"));
const told = [];
let isDown = true;
const webhook = createServer(async (request, response) => {
  const body = (await request.toArray()).join("");
  if (!isDown) told.push({ id: request.headers["idempotency-key"], ...JSON.parse(body) });
  response.writeHead(isDown ? 503 : 204).end();
});
await new Promise((resolve) => webhook.listen(0, "127.0.0.1", resolve));
let server;
after(() => {
  server?.child.kill("SIGKILL");
  webhook.close();
  rmSync(data, { recursive: true, force: true });
});

async function start() {
  const env = { ...process.env, DATA: data, PORT: "0", WEBHOOK: `http://127.0.0.1:${webhook.address().port}/` };
  const child = spawn(process.execPath, [join(import.meta.dirname, "server.mjs")], { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const port = await new Promise((resolve, reject) => {
    child.stdout.on("data", (piece) => resolve(/listening on (\d+)/.exec(piece)?.[1]));
    void ended.then((code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { child, ended, url: `http://127.0.0.1:${port}` };
}

async function order(count) {
  const body = JSON.stringify({ article: "spool", count });
  const response = await fetch(`${server.url}/orders`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(response.status, 201);
  return response.json();
}

it("keeps and tells every order that was answered, through kill -9 and a webhook that is down", async () => {
  server = await start();
  const placed = await Promise.all(Array.from({ length: 20 }, (_, i) => order(i)));
  assert.equal(told.length, 0);
  server.child.kill("SIGKILL");
  await server.ended;

  isDown = false;
  server = await start();
  placed.push(await order(20));
  for (let waited = 0; told.length < placed.length && waited < 10_000; waited += 20)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(told.map(({ order }) => order.id).toSorted(), placed.map(({ id }) => id).toSorted());
  assert.equal(new Set(told.map(({ id }) => id)).size, told.length);
  for (const each of placed) assert.deepEqual(await (await fetch(`${server.url}/orders/${each.id}`)).json(), each);
  assert.equal((await fetch(`${server.url}/orders/none`)).status, 404);

  server.child.kill("SIGTERM");
  assert.equal(await server.ended, 0);
});
