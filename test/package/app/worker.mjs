/** The page's worker: the log in the browser's private file system, served to whoever sends a port. */
import { servePort } from "odradek";
import { openTab } from "odradek/opfs";

const opening = openTab("visits");
globalThis.onmessage = ({ ports }) => {
  opening.then((log) => servePort(log, ports[0])).catch((error) => globalThis.postMessage(String(error.stack)));
};
