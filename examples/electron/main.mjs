/**
 * The main process has the log; every window works with it through a message port, with the same face, sandboxed and isolated.
 * `npx esbuild renderer.mjs --bundle --format=esm --outfile=renderer.js && npx electron main.mjs`
 */
import { join } from "node:path";
import { app, BrowserWindow, MessageChannelMain } from "electron";
import { open, servePort } from "odradek";

await app.whenReady();
const log = await open(join(app.getPath("userData"), "log"));
await log.createTopic("notes", { ifNotExists: true });
const serving = new Set();

function openWindow() {
  const window = new BrowserWindow({
    webPreferences: { preload: join(import.meta.dirname, "preload.cjs"), contextIsolation: true, sandbox: true, nodeIntegration: false },
  });
  // Each time it is loaded: a window that is reloaded has lost its end.
  window.webContents.on("did-finish-load", () => {
    const { port1, port2 } = new MessageChannelMain();
    serving.add(servePort(log, port1));
    window.webContents.postMessage("log", null, [port2]);
  });
  return window.loadFile("index.html");
}

await openWindow();
await openWindow();

app.on("window-all-closed", async () => {
  for (const stop of serving) await stop();
  await log.close();
  app.quit();
});
