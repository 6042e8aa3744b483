/** The platform of runtimes without files of their own: the caller brings the storage. */
import { systemClock, systemRandom } from "./base/clock.ts";
import { portableCodecs } from "./compression/portable-codecs.ts";
import { noFiles } from "./no-files.ts";
import type { Platform } from "./platform.ts";

/** `wasm` undefined: the core is compiled from the bytes in the package. */
export function portablePlatform(wasm: object | undefined): Platform {
  return {
    clock: systemClock,
    random: systemRandom,
    storageAt: noFiles,
    holder: () => ({ pid: 0, runtime: "browser", version: "", since: new Date().toISOString(), argv: [], hostname: "" }),
    publish: undefined,
    codecs: portableCodecs(),
    wasm,
  };
}
