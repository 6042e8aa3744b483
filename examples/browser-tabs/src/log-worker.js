/** Each tab runs this. The first one's worker has the log, the others work through it, and one of them takes its place when its tab goes. */
import { servePort } from "odradek";
import { openTab } from "odradek/opfs";

const log = await openTab("app");
addEventListener("message", ({ ports: [port] }) => servePort(log, port));
postMessage("open");
