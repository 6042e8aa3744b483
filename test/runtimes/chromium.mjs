/**
 * Runs browser.js in dedicated workers of Chromium, under a Content-Security-Policy that allows WebAssembly and no eval: the suites in
 * memory and in the origin private file system, then what tabs do to each other and browsers to tabs. Prints one line of JSON.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { badDays } from "./chromium-tabs.mjs";
import { add, putAway, report, told as story, inTime as within } from "./told.mjs";

const [home, executablePath, isMeasured] = process.argv.slice(2);
const strict = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const noWasm = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'";
const callMsMax = 60_000;
const page = [
  "text/html",
  "<!doctype html><title>odradek</title><script src=/page.js></script><script type=module src=/on-page.js></script>",
];
const files = {
  "/": page,
  "/page.js": [
    "text/javascript",
    `let count = 0; const waiting = new Map();
     globalThis.start = () => { globalThis.worker = new Worker(location.search === "?nowasm" ? "/worker.js?nowasm" : "/worker.js", { type: "module" });
       worker.onmessage = ({ data: [id, answer] }) => waiting.get(id)(answer); };
     globalThis.ask = (...call) => new Promise((resolve) => { const id = ++count; waiting.set(id, resolve); worker.postMessage([id, ...call]); });
     start();`,
  ],
  "/worker.js": ["text/javascript", readFileSync(join(home, "browser.js"), "utf8")],
  "/on-page.js": ["text/javascript", readFileSync(join(home, "browser-page.js"), "utf8")],
};
const server = createServer((request, response) => {
  const { pathname, search } = new URL(request.url, "http://127.0.0.1");
  const [type, body] = files[pathname] ?? ["text/plain", ""];
  response.writeHead(files[pathname] === undefined ? 404 : 200, {
    "content-type": type,
    "content-security-policy": search === "?nowasm" ? noWasm : strict,
  });
  response.end(body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const profile = mkdtempSync(join(tmpdir(), "odradek-chromium-"));
const launching = {
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
    "--host-resolver-rules=MAP plain.test 127.0.0.1",
  ],
};
const context = await chromium.launchPersistentContext(profile, launching);
const figures = {};
const measured = [];

/** Its worker's steps by name; a step that is refused answers `{ refused }`. */
class Tab {
  static async open(search = "", at = origin, among = context) {
    const tab = new Tab();
    tab.page = await among.newPage();
    tab.complaints = [];
    tab.isCrashed = false;
    tab.page.on("console", (message) => message.type() === "error" && tab.complaints.push(message.text()));
    tab.page.on("crash", () => {
      tab.isCrashed = true;
    });
    tab.page.on("pageerror", (error) => tab.complaints.push(String(error)));
    await tab.page.goto(`${at}/${search}`);
    return tab;
  }

  ask(...call) {
    return within(
      callMsMax,
      call[0],
      this.page.evaluate((given) => globalThis.ask(...given), call),
    );
  }

  async must(...call) {
    const { value, refused } = await this.ask(...call);
    if (refused !== undefined) throw new Error(`${call[0]} was refused: ${refused.code} ${refused.message}`);
    return value;
  }

  close() {
    return this.page.close();
  }
}

try {
  await suite("memory");
  await suite("opfs");
  if (isMeasured === "measure") {
    const tab = await Tab.open();
    measured.push(...(await tab.must("figures")));
    await tab.close();
  }
  await story("a second tab is told who has the log, and gets it when the first is closed, with all that was acknowledged", async () => {
    const first = await Tab.open();
    await first.must("open", "shared");
    const second = await Tab.open();
    const { refused } = await second.ask("open", "shared");
    expect(refused?.code, "DIRECTORY_IN_USE");
    expect([refused.holder?.runtime, typeof refused.holder?.since], ["browser", "string"]);
    const { nextOffset, durability } = await first.must("send", 500, 100);
    expect(durability, "process");
    const unanswered = first.ask("send", 2000, 100).catch(() => {});
    await first.close();
    await unanswered;
    const logEndOffset = await second.must("open", "shared");
    if (logEndOffset < nextOffset) throw new Error(`${nextOffset} were acknowledged, ${logEndOffset} are there`);
    expect(await second.must("count"), logEndOffset);
    await second.must("close");
    await second.close();
  });
  await story(
    "a worker that is ended in the middle of its work leaves all that was acknowledged, and the next one opens at once",
    async () => {
      const tab = await Tab.open();
      let nextOffset = 0;
      for (let round = 0; round < 5; round += 1) {
        const logEndOffset = await tab.must("open", "killed");
        if (logEndOffset < nextOffset) throw new Error(`round ${round}: ${nextOffset} were acknowledged, ${logEndOffset} are there`);
        expect(await tab.must("count"), logEndOffset);
        ({ nextOffset } = await tab.must("send", 300, 100));
        await tab.page.evaluate(() => {
          void globalThis.ask("send", 5000, 100);
          return new Promise((resolve) => setTimeout(resolve, 20)).then(() => {
            globalThis.worker.terminate();
            globalThis.start();
          });
        });
      }
      await tab.close();
    },
  );
  await story(
    "tabs share a log: the one that has it is closed under load, another takes its place, and nothing acknowledged is lost",
    async () => {
      const tabs = [];
      for (let i = 0; i < 4; i += 1) {
        tabs.push(await Tab.open());
        await tabs[i].must("join", "tabs");
      }
      const [owner, ...others] = tabs;
      const loads = others.map((tab) => tab.must("sendOn", 3000));
      const ownerLoad = owner.ask("sendOn", 3000).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await owner.close();
      await ownerLoad;
      const answers = await Promise.all(loads);
      expect(
        answers.flatMap(({ refused }) => refused),
        [],
      );
      const longestMs = Math.round(Math.max(...answers.map((answer) => answer.longestMs)));
      figures["takeover in another tab"] = `${longestMs} ms`;
      if (isMeasured === "measure")
        measured.push({
          name: "takeover, tab closed with three others",
          value: longestMs,
          unit: "ms",
          rawLimit: null,
          ratio: null,
          spread: null,
        });
      const acknowledged = answers.reduce((sum, answer) => sum + answer.acknowledged, 0);
      const counts = await Promise.all(others.map((tab) => tab.must("count")));
      if (new Set(counts).size !== 1 || counts[0] < acknowledged) throw new Error(`${acknowledged} acknowledged, ${counts} counted`);
      await others[0].close();
      const late = await Tab.open();
      await late.must("join", "tabs");
      expect(await late.must("count"), counts[0]);
      for (const tab of [late, ...others.slice(1)]) {
        await tab.must("close");
        await tab.close();
      }
    },
  );
  await story("a page works with the log that another tab has, through its own worker, under the strict policy", async () => {
    const [first, second] = [await Tab.open(), await Tab.open()];
    for (const tab of [first, second]) {
      await tab.must("join", "page");
      const { sent, mine, durability, keeping } = await within(
        callMsMax,
        "onPage",
        tab.page.evaluate(() => globalThis.onPage(50)),
      );
      expect(mine.slice(-50), sent);
      expect([durability, ...keeping], ["process", "boolean", true]);
    }
    await first.close();
    const { mine } = await within(
      callMsMax,
      "onPage",
      second.page.evaluate(() => globalThis.onPage(10)),
    );
    expect(mine.length, 110);
    const complaints = second.complaints.filter((text) => !text.includes("favicon"));
    expect(complaints, []);
    await second.close();
  });
  await story("a full quota refuses the append, keeps what was acknowledged, and lets the log go on when there is room again", async () => {
    const tab = await Tab.open();
    const browser = await context.newCDPSession(tab.page);
    await tab.must("open", "full");
    const before = await tab.must("send", 10, 1000);
    const { usage } = await tab.page.evaluate(() => navigator.storage.estimate());
    await browser.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 300_000 });
    const { acknowledged, refused } = await tab.must("send", 100, 50_000);
    if (acknowledged >= 100 || refused === null) throw new Error(`all ${acknowledged} were taken`);
    expect(refused.code, "STORAGE_FULL");
    expect(refused.retriable, true);
    expect(/quota/.test(refused.message), true);
    expect(await tab.must("count"), before.nextOffset + acknowledged);
    await browser.send("Storage.overrideQuotaForOrigin", { origin });
    const after = await tab.must("send", 10, 1000);
    expect(after.nextOffset, before.nextOffset + acknowledged + 10);
    await tab.must("close");
    expect(await tab.must("open", "full"), after.nextOffset);
    expect(await tab.must("count"), after.nextOffset);
    await tab.must("close");
    await tab.close();
  });
  await story(
    "site data that is cleared under an open log is told as that, and the log that must be there is not found empty",
    async () => {
      const tab = await Tab.open();
      const browser = await context.newCDPSession(tab.page);
      await tab.must("open", "cleared");
      await tab.must("send", 10, 1000);
      await tab.must("close");
      await browser.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
      const { refused } = await tab.ask("open", "cleared", { create: false });
      expect(refused?.code, "STORAGE_FAILED");
      expect(/evicted/.test(refused.message) && /persist\(\)/.test(refused.message), true);
      await tab.close();
    },
  );
  await story("a policy without wasm-unsafe-eval is named", async () => {
    const tab = await Tab.open("?nowasm");
    const { refused } = await tab.ask("open", "nowasm");
    expect(refused?.code, "CORE_UNAVAILABLE");
    expect(/wasm-unsafe-eval/.test(refused.message), true);
    await tab.close();
  });
  await story("a page that is not secure is told to be served over https", async () => {
    const tab = await Tab.open("", origin.replace("127.0.0.1", "plain.test"));
    const { refused } = await tab.ask("open", "plain");
    expect(refused?.code === "LOCK_UNAVAILABLE" || refused?.code === "STORAGE_FAILED", true);
    expect(/https/.test(refused.message), true);
    await tab.close();
  });
  await badDays({ story, expect, Tab, context, launch: () => chromium.launch(launching) });
} finally {
  await putAway("the browser", context.close());
  server.closeAllConnections();
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
}
report({ figures, measured });

/** All tests of one suite, in a tab of its own; what the policy was violated by is told in the console, even where the program went on. */
async function suite(name) {
  const tab = await Tab.open();
  const outcome = await tab.must(name);
  const complaints = tab.complaints.filter((text) => !text.includes("favicon"));
  add({ ...outcome, failed: [...outcome.failed, ...complaints.map((problem) => ({ name: `the console under ${name}`, problem }))] });
  await tab.close();
}

function expect(found, expected) {
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}
