/**
 * examples/browser-tabs as it was built, in tabs of Chromium, on a server that does nothing but hand out its files.
 * `browser-tabs.mjs FOLDER PROFILE CHROMIUM`
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { putAway, report, told } from "./told.mjs";

const [folder, profile, executablePath] = process.argv.slice(2);
const types = { ".html": "text/html", ".js": "text/javascript" };
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  try {
    const file = join(folder, pathname === "/" ? "index.html" : pathname);
    const body = readFileSync(file);
    response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain", "content-security-policy": policy }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const complaints = [];
let context = await browser();

const [first, second] = [await tab(), await tab()];
await told("what one tab keeps both show, in order", async () => {
  for (const text of ["one", "two", "three"]) await keep(first, text);
  await keep(second, "four");
  for (const page of [first, second]) await shows(page, ["one", "two", "three", "four"]);
});
await told("the other tab goes on when the one that has the log is closed", async () => {
  await first.close();
  await keep(second, "five");
  await shows(second, ["one", "two", "three", "four", "five"]);
});
await told("all of it is there when the browser is started again", async () => {
  await context.close();
  context = await browser();
  await shows(await tab(), ["one", "two", "three", "four", "five"]);
});
await told("nothing was complained of under a strict policy", () => {
  const grave = complaints.filter((text) => !/favicon|404/.test(text));
  if (grave.length > 0) throw new Error(grave.join("\n"));
});
await putAway("the browser", context.close());
server.closeAllConnections();
server.close();
report();

function browser() {
  const args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"];
  return chromium.launchPersistentContext(profile, { executablePath, headless: true, args });
}

async function tab() {
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return page;
}

async function keep(page, text) {
  await page.waitForFunction(() => document.querySelectorAll("li") !== null);
  await page.fill("input", text);
  await page.click("button");
  await page.waitForFunction(() => document.title.startsWith("Kept") && document.querySelector("input").value === "");
}

function shows(page, texts) {
  return page.waitForFunction(
    (expected) => JSON.stringify([...document.querySelectorAll("li")].map((item) => item.textContent)) === expected,
    JSON.stringify(texts),
  );
}
