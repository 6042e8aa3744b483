/** Bad days of tabs that share a log, in the real browser: one crashes, one is frozen, one is private, one has no file system. */

/** `kit`: `{ story, expect, Tab, context, launch, within }` of chromium.mjs. */
export async function badDays({ story, expect, Tab, context, launch }) {
  await story("a tab that crashes lets the others go on, with all that was acknowledged", async () => {
    // A window of its own: tabs of one window may share the process that crashes.
    const first = await Tab.open();
    await first.must("join", "crashed");
    const { acknowledged } = await first.must("send", 50, 100);
    const second = await Tab.open("", undefined, context);
    await second.must("join", "crashed");
    const browser = await context.newCDPSession(first.page);
    const crashed = new Promise((resolve) => first.page.once("crash", resolve));
    browser.send("Page.crash").catch(() => {});
    await crashed;
    const survivor = second.isCrashed ? await Tab.open() : second;
    if (survivor !== second) await survivor.must("join", "crashed");
    const after = await survivor.must("send", 50, 100);
    expect(after.acknowledged, 50);
    expect((await survivor.must("count")) >= acknowledged + 50, true);
    await survivor.must("close");
    await Promise.all([first, second, survivor].map((tab) => tab.close().catch(() => {})));
  });

  await story("a tab that is frozen keeps the log, which is told, and shares it again when it thaws", async () => {
    const first = await Tab.open();
    await first.must("join", "frozen");
    await first.must("send", 10, 100);
    const browser = await context.newCDPSession(first.page);
    await browser.send("Page.setWebLifecycleState", { state: "frozen" });
    const second = await Tab.open();
    const answer = await second.ask("join", "frozen");
    // A browser may leave a worker that holds a lock alone: then it answers, and nothing is wrong.
    if (answer.refused !== undefined) {
      expect(answer.refused.code, "DIRECTORY_IN_USE");
      expect(/hangs|no sign of life|did not answer/.test(answer.refused.message), true);
    }
    await browser.send("Page.setWebLifecycleState", { state: "active" });
    if (answer.refused !== undefined) await second.must("join", "frozen");
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
