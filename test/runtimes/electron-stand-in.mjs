/**
 * As much of the module `electron` as examples/electron uses, with Chromium as the renderer: windows are pages, and what is sent between a
 * message port here and one there goes through playwright, structured-cloned as far as the log needs (bytes and strings).
 */
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { putAway } from "../../told.mjs";

const [, , folder, userData, executablePath] = process.argv;
const types = { ".html": "text/html", ".js": "text/javascript" };
const browser = await chromium.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] });
const server = createServer((request, response) => {
  try {
    const body = readFileSync(join(folder, new URL(request.url, "http://127.0.0.1").pathname));
    response.writeHead(200, { "content-type": types[extname(request.url)] ?? "text/plain" });
    response.end(body);
  } catch {
    response.writeHead(404);
    response.end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

/** For the test. */
export const windows = [];

class App extends EventEmitter {
  whenReady = () => Promise.resolve();
  getPath = () => userData;
  async quit() {
    await putAway("the browser", browser.close());
    server.closeAllConnections();
    server.close();
    this.emit("has-quit");
  }
}
export const app = new App();

/** Like Electron's: a message comes as the event's data, and nothing comes before `start`. */
class Port extends EventEmitter {
  other = null;
  #held = [];
  #isOver = false;

  postMessage(message) {
    this.other?.receive(structuredClone(message));
  }

  receive(data) {
    if (this.#held === null) this.emit("message", { data });
    else this.#held.push(data);
  }

  start() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const data of held) this.emit("message", { data });
  }

  close() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.other?.close();
    this.emit("close");
  }
}

export class MessageChannelMain {
  port1 = new Port();
  port2 = new Port();

  constructor() {
    this.port1.other = this.port2;
    this.port2.other = this.port1;
  }
}

export class BrowserWindow {
  webContents = new EventEmitter();
  #preload;
  #ports = [];

  constructor({ webPreferences }) {
    if (!webPreferences.contextIsolation || !webPreferences.sandbox || webPreferences.nodeIntegration)
      throw new Error("the window is not sandboxed");
    this.#preload = readFileSync(webPreferences.preload, "utf8");
    this.webContents.postMessage = (channel, _message, ports) => void this.#give(channel, ports);
    windows.push(this);
  }

  async loadFile(name) {
    this.page = await browser.newPage();
    this.complaints = [];
    this.page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    this.page.on("pageerror", (error) => this.complaints.push(String(error)));
    this.page.on("close", () => {
      for (const port of this.#ports) port.close();
      windows.splice(windows.indexOf(this), 1);
      if (windows.length === 0) app.emit("window-all-closed");
    });
    await this.page.exposeFunction("toMain", (index, text, isBytes) =>
      this.#ports[index].postMessage(isBytes ? new Uint8Array(Buffer.from(text, "base64")) : text),
    );
    await this.page.addInitScript(`{
      const listeners = {}, ports = [];
      const base64 = (bytes) => { let text = ""; for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192)); return btoa(text); };
      globalThis.fromMain = (index, text, isBytes) => ports[index].postMessage(isBytes ? Uint8Array.from(atob(text), (one) => one.charCodeAt(0)) : text);
      globalThis.givePort = (channel, index) => {
        const { port1, port2 } = new MessageChannel();
        ports[index] = port1;
        port1.onmessage = ({ data }) => toMain(index, typeof data === "string" ? data : base64(data), typeof data !== "string");
        listeners[channel]({ ports: [port2] });
      };
      const require = () => ({ ipcRenderer: { on: (channel, listener) => { listeners[channel] = listener; } } });
      ${this.#preload}
    }`);
    await this.page.goto(`http://127.0.0.1:${server.address().port}/${name}`);
    this.webContents.emit("did-finish-load");
  }

  async #give(channel, [port]) {
    const index = this.#ports.push(port) - 1;
    await this.page.evaluate(([name, at]) => globalThis.givePort(name, at), [channel, index]);
    port.on("message", ({ data }) => {
      const isBytes = typeof data !== "string";
      const text = isBytes ? Buffer.from(data).toString("base64") : data;
      this.page.evaluate((given) => globalThis.fromMain(...given), [index, text, isBytes]).catch(() => {});
    });
    port.start();
  }
}
