/** All that crosses from the main process to the page: the port. The page sees no Electron and no Node. */
const { ipcRenderer } = require("electron");

ipcRenderer.on("log", (event) => window.postMessage("log", "*", event.ports));
