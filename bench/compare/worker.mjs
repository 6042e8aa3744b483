/** One task of one peer: `node worker.mjs PEER TASK JSON`, in this process. Its figures are the last line. */
import { tasks } from "./tasks.mjs";

const [, , peerName = "", taskName = "", options = "{}"] = process.argv;
const loadingBegan = performance.now();
const peer = await import(`./peers/${peerName}.mjs`);
const loadMs = performance.now() - loadingBegan;
const figures = await tasks[taskName]({ peer, loadingBegan, loadMs, ...JSON.parse(options) });
console.log(JSON.stringify(figures));
// A client's sockets and timers are no reason to stay.
process.exit(0);
