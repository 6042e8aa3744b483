/**
 * examples/electron as it stands, with Node as the main process and Chromium as the renderer: what one window keeps the other shows, a reload
 * and a closed window harm nothing, and what was kept is on disk afterwards. `electron.mjs FOLDER USERDATA CHROMIUM`. One line of JSON.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { app, windows } from "electron";
import { json, open } from "odradek";
import { report, told } from "./told.mjs";

const [, , folder, userData] = process.argv;
const COUNT = 200;
// What asks whether it runs in Electron is told yes.
Object.defineProperty(process.versions, "electron", { value: "45.4.1" });
await import(pathToFileURL(join(folder, "main.mjs")));

await told("what one window keeps the other shows, in order", async () => {
  const [first, second] = windows;
  for (let i = 0; i < 5; i += 1) await keep(first.page, `note ${i}`);
  await shows(second.page, ["note 0", "note 1", "note 2", "note 3", "note 4"]);
  if (!/outlives power/.test(await first.page.title())) throw new Error(`the title is ${await first.page.title()}`);
});
await told("a window that is closed harms neither the other nor the log", async () => {
  const [first, second] = windows;
  await first.page.close();
  for (let i = 5; i < COUNT; i += 1) await keep(second.page, `note ${i}`);
  await shows(
    second.page,
    Array.from({ length: COUNT }, (_, i) => `note ${i}`),
  );
  const complaints = second.complaints.filter((text) => !text.includes("favicon") && !text.includes("404"));
  if (complaints.length > 0) throw new Error(complaints.join("\n"));
});
await told("all of it is on disk when the app has quit", async () => {
  const quit = new Promise((resolve) => app.once("has-quit", resolve));
  await windows[0].page.close();
  await quit;
  const log = await open(join(userData, "log"));
  const last = await log.read({ topic: "notes", partition: 0, offset: COUNT - 1 }, { value: json() });
  await log.close();
  if (last.value.text !== `note ${COUNT - 1}`) throw new Error(`the last note is ${last.value.text}`);
});
report();

async function keep(page, text) {
  await page.fill("input", text);
  await page.click("button");
  await page.waitForFunction(() => document.querySelector("input").value === "");
}

function shows(page, texts) {
  return page.waitForFunction(
    (expected) => JSON.stringify([...document.querySelectorAll("li")].map((item) => item.textContent)) === expected,
    JSON.stringify(texts),
  );
}
