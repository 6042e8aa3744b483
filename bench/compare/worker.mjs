/** One task of one peer: `node worker.mjs PEER TASK JSON`, in this process. Its figures are the last line. */
import { tasks } from "./tasks.mjs";

const [, , peerName = "", taskName = "", options = "{}"] = process.argv;
const loadingBegan = performance.now();
const peer = await import(`./peers/${peerName}.mjs`);
const figures = await tasks[taskName]({ peer, loadingBegan, ...JSON.parse(options) });
console.log(JSON.stringify(figures));
// A client's sockets and timers are no reason to stay.
process.exit(0);
