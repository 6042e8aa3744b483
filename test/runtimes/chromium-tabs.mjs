/** Bad days of tabs that share a log, in the real browser: one crashes, one is frozen, one is private, one has no file system. */

import { readdirSync, readFileSync } from "node:fs";

/** What chromium.mjs tells its stories with; `launch` opens another browser. */
export async function badDays({ story, expect, Tab, context, launch }) {
  await story("a tab that crashes lets the others go on, with all that was acknowledged", async () => {
    const first = await Tab.open();
    await first.must("join", "crashed");
    const { acknowledged } = await first.must("send", 50, 100);
    const second = await Tab.open();
    await second.must("join", "crashed");
    const browser = await context.newCDPSession(first.page);
    const crashed = new Promise((resolve) => first.page.once("crash", resolve));
    browser.send("Page.crash").catch(() => {});
    await crashed;
    expect((await second.must("send", 50, 100)).acknowledged, 50);
    expect(await second.must("count"), acknowledged + 50);
    await second.must("close");
    await first.close();
    await second.close();
  });

  await story("a tab that the browser freezes goes on serving the others: its worker is not frozen", async () => {
    const first = await Tab.open();
    await first.must("join", "background");
    await first.must("send", 10, 100);
    const browser = await context.newCDPSession(first.page);
    await browser.send("Page.setWebLifecycleState", { state: "frozen" });
    const second = await Tab.open();
    await second.must("join", "background");
    expect((await second.must("send", 10, 100)).acknowledged, 10);
    expect(await second.must("count"), 20);
    await browser.send("Page.setWebLifecycleState", { state: "active" });
    await second.must("close");
    await first.close();
    await second.close();
  });

  await story("a tab whose whole process stands still keeps the log, which others are told, and shares it when it goes on", async () => {
    const first = await Tab.open();
    await first.must("join", "frozen");
    await first.must("send", 10, 100);
    const second = await Tab.open();
    await second.must("globals");
    const stopped = await stopProcessOf(first, second);
    try {
      const { refused } = await second.ask("join", "frozen");
      expect(refused?.code, "DIRECTORY_IN_USE");
      expect(/hangs/.test(refused.message), true);
    } finally {
      process.kill(stopped, "SIGCONT");
    }
    await second.must("join", "frozen");
    expect((await second.must("send", 10, 100)).acknowledged, 10);
    expect(await second.must("count"), 20);
    await second.must("close");
    await first.close();
    await second.close();
  });

  await story("a private window has a log as long as it is open, and none of what others keep", async () => {
    const browser = await launch();
    try {
      const window = await browser.newContext();
      const tab = await Tab.open("", undefined, window);
      expect(await tab.must("open", "shared"), 0);
      expect((await tab.must("send", 10, 100)).acknowledged, 10);
      await tab.must("close");
      expect(await tab.must("open", "shared"), 10);
      await tab.must("close");
      await tab.close();
      const other = await Tab.open("", undefined, await browser.newContext());
      const { refused } = await other.ask("open", "shared", { create: false });
      expect(refused?.code, "STORAGE_FAILED");
      await other.close();
    } finally {
      await browser.close();
    }
  });

  await story("a window whose browser refuses the file system, as others' private ones do, is told to use memory()", async () => {
    const tab = await Tab.open();
    // Of this one refusal the browser here is innocent: it is played to the worker.
    await tab.must("refuseFileSystem");
    const { refused } = await tab.ask("open", "private");
    expect(refused?.code, "STORAGE_FAILED");
    expect(/private windows.*memory\(\)/.test(refused.message), true);
    await tab.close();
  });

  await story("nothing needs SharedArrayBuffer, which pages like this one do not have", async () => {
    const tab = await Tab.open();
    expect(await tab.must("globals"), { SharedArrayBuffer: "undefined", crossOriginIsolated: false, WebAssembly: "object" });
    await tab.close();
  });
}

/** Stops the process of `tab`, which is the one that makes it fall silent and leaves `other` alone; answers its id. */
async function stopProcessOf(tab, other) {
  for (const pid of rendererPids()) {
    process.kill(pid, "SIGSTOP");
    const [isSilent, isOtherWell] = await Promise.all([tab, other].map(async (each, at) => (await answers(each)) === (at === 1)));
    if (isSilent && isOtherWell) return pid;
    process.kill(pid, "SIGCONT");
  }
  throw new Error("no process of the browser is the tab's alone");
}

function answers(tab) {
  const late = new Promise((resolve) => setTimeout(() => resolve(false), 500));
  const asked = tab.page
    .evaluate(() => 1)
    .then(
      () => true,
      () => false,
    );
  return Promise.race([asked, late]);
}

/** The renderers among our children's children. */
function rendererPids() {
  const parents = new Map();
  const renderers = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      parents.set(pid, readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[1]);
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--type=renderer")) renderers.push(pid);
    } catch {
      // It has gone meanwhile.
    }
  }
  const isOurs = (pid) => pid !== undefined && (pid === String(process.pid) || isOurs(parents.get(pid)));
  return renderers.filter(isOurs).map(Number);
}
