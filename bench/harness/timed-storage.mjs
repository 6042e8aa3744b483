/** The storage driver for files, but for one thing: it counts the milliseconds that flushes of files took, from the call until its promise is kept. */
import { nodeStorage } from "../../build/js/storage/node.js";

/** @returns {{ storage: object, takeMs: () => number }} `takeMs`: how long flushes took since it was last asked. */
export function timedStorage(path) {
  const driver = nodeStorage(path);
  let tookMs = 0;
  const timed = (file) =>
    replaced(file, {
      sync: async (...args) => {
        const started = performance.now();
        await file.sync(...args);
        tookMs += performance.now() - started;
      },
    });
  return {
    storage: replaced(driver, { open: async (...args) => timed(await driver.open(...args)) }),
    takeMs: () => {
      const taken = tookMs;
      tookMs = 0;
      return taken;
    },
  };
}

function replaced(target, methods) {
  return new Proxy(target, {
    get(_, property) {
      if (property in methods) return methods[property];
      const value = target[property];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
