/** The platform of runtimes without files of their own: the caller brings the storage. */
import { systemClock, systemRandom } from "./base/clock.ts";
import { UsageError } from "./base/errors.ts";
import { portableCodecs } from "./compression/portable-codecs.ts";
import type { Platform } from "./platform.ts";

/** `wasm` undefined: the core is compiled from the bytes in the package. */
export function portablePlatform(wasm: object | undefined): Platform {
  return {
    clock: systemClock,
    random: systemRandom,
    storageAt: () => {
      throw new UsageError("INVALID_ARGUMENT", "open(path): there are no files here; give a storage driver instead: open({ storage })");
    },
    holder: () => ({ pid: 0, runtime: "browser", version: "", since: new Date().toISOString(), argv: [], hostname: "" }),
    publish: undefined,
    codecs: portableCodecs(),
    wasm,
  };
}
