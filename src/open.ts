/** Opening a log: options checked, storage found, engine started, and the face put on it. */
import type { Odradek, OpenOptions } from "./api/odradek.ts";
import { StorageError, UsageError } from "./base/errors.ts";
import { type EngineWiring, startEngine } from "./engine/start-engine.ts";
import { EmbeddedOdradek } from "./odradek.ts";
import type { Open } from "./open-face.ts";
import { checkOpenOptions } from "./open-options.ts";
import type { Platform } from "./platform.ts";

export type { Open };

export function openOn(platform: Platform): Open {
  return async (first: string | URL | OpenOptions, second?: OpenOptions): Promise<Odradek> => {
    const path = typeof first === "string" || first instanceof URL ? first : null;
    const options = checkOpenOptions(path === null ? first : second);
    if (path === null && options.storage === undefined) {
      throw new UsageError("INVALID_ARGUMENT", "open(): expected a path, or options with a storage driver");
    }
    options.signal?.throwIfAborted();
    const { sharing } = platform;
    const isInFiles = path !== null && options.storage === undefined;
    if (options.attach === true) {
      if (options.readOnly) throw new UsageError("INVALID_ARGUMENT", "open(): expected attach or readOnly, found both");
      if (!isInFiles || sharing === undefined) {
        throw new UsageError(
          "UNSUPPORTED_VERSION",
          "open(): attach: expected the path of a directory on disk; elsewhere there is attachPort()",
        );
      }
      return await sharing.attach(platform, path, options);
    }
    const storage = options.storage ?? platform.storageAt(path as string | URL);
    // A storage that reads alone cannot tell a path that is misspelt from a log with nothing in it.
    const missing = options.readOnly && isInFiles ? await platform.nothingAt?.(path) : null;
    if (typeof missing === "string") throw nothingToRead(missing);
    const engine = await startEngine(wiringOf(platform), storage, { ...options, wasm: options.wasm ?? platform.wasm });
    const isServed = sharing !== undefined && isInFiles && options.attach !== false && !options.readOnly;
    const home = isInFiles ? path : null;
    return new EmbeddedOdradek(engine, engine, platform, home, isServed ? sharing.serve(platform, path, engine) : undefined);
  };
}

function nothingToRead(path: string): StorageError {
  return new StorageError(
    "FILE_NOT_FOUND",
    `open(): there is no directory ${path}, and readOnly makes none: check the path, or open it again when its writer has`,
  );
}

/** What an engine is started with on a platform. */
export function wiringOf(platform: Platform): EngineWiring {
  const { clock, random, publish, codecs } = platform;
  return { clock, random, publish, holder: platform.holder(), codecs };
}
