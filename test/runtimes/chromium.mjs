/** Runs browser.bundle.js in a dedicated worker of Chromium, under a Content-Security-Policy that allows WebAssembly and no eval. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [bundle, executablePath] = process.argv.slice(2);
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const pages = {
  "/": ["text/html", "<!doctype html><title>odradek</title><script src=/page.js></script>"],
  "/page.js": [
    "text/javascript",
    "globalThis.outcome = new Promise((resolve) => { new Worker('/worker.js', { type: 'module' }).onmessage = ({ data }) => resolve(data); });",
  ],
  "/worker.js": ["text/javascript", readFileSync(bundle, "utf8")],
};
const server = createServer((request, response) => {
  const [type, body] = pages[request.url] ?? ["text/plain", ""];
  response.writeHead(pages[request.url] === undefined ? 404 : 200, { "content-type": type, "content-security-policy": policy });
  response.end(body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
try {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const outcome = await page.evaluate(() => globalThis.outcome);
  // A policy that was violated is told in the console, even where the program went on.
  const violations = complaints.filter((text) => !text.includes("favicon"));
  for (const problem of violations) outcome.failed.push({ name: "the console", problem });
  console.log(JSON.stringify(outcome));
} finally {
  await browser.close();
  server.close();
}
