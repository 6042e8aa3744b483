/** The suite in memory where `SharedArrayBuffer` and `Atomics` are not there, as on pages that are not cross-origin isolated. One line of JSON. */
delete globalThis.SharedArrayBuffer;
delete globalThis.Atomics;
const { runSuite } = await import("./isolate.mjs");

console.log(JSON.stringify(await runSuite()));
