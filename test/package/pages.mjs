/** Built pages in Chromium, under a policy that allows WebAssembly and no eval; where there is no Chromium, their code in node. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { chromiumInstall, chromium as pathOfChromium } from "../../scripts/rigs.mjs";
import { run } from "../../scripts/run.mjs";
import { expected } from "./app/story.mjs";

const answerMsMax = 30_000;
/** Until a page that loads itself anew has come to rest. */
const restMsMax = 10_000;
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
/** The driver that the suites of the runtimes bring. */
const driver = new URL("../runtimes/package.json", import.meta.url);

export class Pages {
  #browser;

  /** Answers what is missing for a browser to be driven, or null. */
  async start() {
    const executablePath = pathOfChromium();
    if (executablePath === undefined) return chromiumInstall;
    let chromium;
    try {
      ({ chromium } = createRequire(driver)("playwright-core"));
    } catch {
      return "npm ci --ignore-scripts in test/runtimes";
    }
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
    this.#browser = await chromium.launch({ executablePath, headless: true, args });
    return null;
  }

  /** Opens `folder/index.html` and answers what is wrong with what it answered, or null. */
  async problemOf(folder) {
    const server = createServer((request, response) => {
      const path = normalize(join(folder, new URL(request.url, "http://x").pathname.replace(/\/$/, "/index.html")));
      const isThere = path.startsWith(folder) && existsSync(path);
      response.writeHead(isThere ? 200 : 404, { "content-type": types[extname(path)] ?? "text/plain", "content-security-policy": policy });
      response.end(isThere ? readFileSync(path) : "");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      return await this.problemAt(`http://127.0.0.1:${server.address().port}/`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  /** The same of a page that somebody serves. */
  async problemAt(url) {
    const context = await this.#browser.newContext();
    const complaints = [];
    try {
      const page = await context.newPage();
      page.on("console", (message) => {
        const { url: at } = message.location();
        if (["error", "warning"].includes(message.type()) && !at.endsWith("/favicon.ico")) complaints.push(`${message.text()} ${at}`);
      });
      const thrown = new Promise((_, reject) => page.on("pageerror", reject));
      thrown.catch(() => {});
      await page.goto(url);
      const begun = page.waitForFunction(() => globalThis.answer !== undefined, undefined, { timeout: answerMsMax });
      begun.catch(() => {});
      await Promise.race([begun, thrown]);
      const answer = await page.evaluate((msMax) => {
        const late = new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), msMax));
        return Promise.race([globalThis.answer, late]).catch((error) => ({ problem: String(error.stack) }));
      }, answerMsMax);
      if (complaints.length > 0) return `the console says: ${complaints.join("\n")}`;
      return differenceOf(answer, { memory: expected, worker: "first" });
    } catch (error) {
      return [error.message, ...complaints].join("\n");
    } finally {
      // A context that is closed in the middle of a navigation may never say that it is closed.
      for (const page of context.pages()) await page.waitForLoadState("networkidle", { timeout: restMsMax }).catch(() => {});
      await context.close();
    }
  }

  async stop() {
    await this.#browser?.close();
  }
}

/** Without a browser: what the page's modules do, but for its worker; null when all is well. A page that is no module cannot be asked. */
export async function evaluate(folder) {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const name = /<script type="module"[^>]* src="\.?\/([^"]+)"/.exec(html)?.[1];
  if (name === undefined) return undefined;
  const files = readdirSync(folder, { recursive: true }).map(String);
  if (!files.includes(name)) return `index.html names ${name}, and there is only ${files.join(", ")}`;
  const code = `globalThis.Worker = undefined; globalThis.document = undefined;
    await import(${JSON.stringify(join(folder, name))}); console.log(JSON.stringify(await globalThis.answer))`;
  const outcome = await run(process.execPath, ["--input-type=module", "-e", code], { cwd: folder, timeoutMs: answerMsMax });
  if (outcome.code !== 0) return outcome.output;
  return differenceOf(parsed(outcome.output), { memory: expected, worker: null });
}

/** What a bundled program printed, beside what it must. */
export function differenceOf(found, wanted) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  return left === right ? null : `expected ${right}\nfound ${left}`;
}

export function parsed(output) {
  try {
    return JSON.parse(output);
  } catch {
    return output;
  }
}
