/** A log over a message port, at the end that has none: a worker thread, a window or a tab works with the log that another one has open. */
import { AttachedLog } from "./attached/attached-log.ts";
import { ATTACH_TIMES, type AttachTimes, type Door } from "./attached/door.ts";
import { checkPort, PortChannel } from "./attached/port-channel.ts";
import { StorageError } from "./base/errors.ts";
import { createCompression } from "./compression/create-compression.ts";
import { loadCore } from "./core/load-core.ts";
import { Events } from "./engine/events.ts";
import { EmbeddedOdradek } from "./odradek.ts";
import type { AttachPort } from "./open-face.ts";
import { checkOpenOptions } from "./open-options.ts";
import type { Platform } from "./platform.ts";

export function attachPortOn(platform: Platform, times: AttachTimes = ATTACH_TIMES): AttachPort {
  return async (port, given) => {
    const { clock, random, publish, codecs } = platform;
    let channel: PortChannel | null = new PortChannel(checkPort(port, "attachPort"));
    const { wasm = platform.wasm, onEvent, logger, signal } = checkOpenOptions(given);
    const core = await loadCore({ wasm });
    const events = new Events(clock, { onEvent, logger, publish });
    const door: Door = {
      own: async () => null,
      // A port has two ends for good: nobody takes the place of the one who served it.
      reach: async () => {
        const once = channel;
        channel = null;
        return once;
      },
      shut: (cause) => new StorageError("NETWORK_EXCEPTION", "nobody serves a log at the other end of this port", { cause }),
      isOnce: true,
    };
    const log = await AttachedLog.open({ door, clock, random, emit: events.emit, absolute: String, times }, signal);
    return new EmbeddedOdradek(log.keeper, { core, compression: createCompression(core, codecs), events }, platform);
  };
}
