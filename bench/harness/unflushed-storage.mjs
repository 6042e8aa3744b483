/**
 * The storage driver for files, but for one thing: a flush does nothing. For what must stand before a bench begins and would wait for the
 * disk ten thousand times; whatever is measured is measured with the driver as it is.
 */
import { nodeStorage } from "../../build/js/storage/node.js";

const nothing = async () => {};

export function unflushedStorage(path) {
  const driver = nodeStorage(path);
  return without(driver, {
    syncDirectory: nothing,
    open: async (...args) => without(await driver.open(...args), { sync: nothing }),
  });
}

function without(target, replaced) {
  return new Proxy(target, {
    get(_, property) {
      if (property in replaced) return replaced[property];
      const value = target[property];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
