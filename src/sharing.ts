/** A log in files that several processes use: one has it, the others are attached, and any of these takes its place. */
import type { LogKeeper } from "./api/broker.ts";
import { AttachedLog } from "./attached/attached-log.ts";
import { ATTACH_TIMES, type AttachTimes, type Door } from "./attached/door.ts";
import { absolutePath, listenAt, reachAt } from "./attached/node-socket.ts";
import { isTaken, notLetIn } from "./attached/not-let-in.ts";
import { Serving } from "./attached/serving.ts";
import type { OdradekError } from "./base/errors.ts";
import { createCompression } from "./compression/create-compression.ts";
import { loadCore } from "./core/load-core.ts";
import type { Engine } from "./engine/engine.ts";
import { Events } from "./engine/events.ts";
import { startEngine } from "./engine/start-engine.ts";
import { EmbeddedOdradek } from "./odradek.ts";
import { wiringOf } from "./open.ts";
import type { Platform, Sharing } from "./platform.ts";

/**
 * Whoever opened a log has something to do with it first: a socket, its directory and its file cost a process that has just begun some
 * milliseconds. Others who come sooner try again anyway, and one who is gone by then has listened for nobody.
 */
const LISTEN_AFTER_MS = 50;

const SILENCE = "it lets nobody attach: it was opened with attach: false, or may not listen";

export function sharingOn(times: AttachTimes = ATTACH_TIMES): Sharing {
  const servingFor = (platform: Platform, keeper: LogKeeper): Serving =>
    new Serving({ keeper, clock: platform.clock, pulse: times.pulse, storageAt: platform.storageAt });

  return {
    async attach(platform, path, options) {
      const wasm = options.wasm ?? platform.wasm;
      const core = await loadCore({ wasm });
      const events = new Events(platform.clock, { onEvent: options.onEvent, logger: options.logger, publish: platform.publish });
      const wiring = { ...wiringOf(platform), core, events };
      let inUse: OdradekError | null = null;
      const door: Door = {
        reach: () => reachAt(path),
        async own(signal) {
          let engine: Engine;
          try {
            engine = await startEngine(wiring, platform.storageAt(path), { ...options, wasm, signal, lockRetryMs: 0 });
          } catch (error) {
            if (!isTaken(error)) throw error;
            inUse = error;
            return null;
          }
          const serving = servingFor(platform, engine);
          try {
            return { keeper: engine, letGo: await serve(path, serving) };
          } catch (error) {
            // Those that are attached cannot come; this one can go on.
            events.emit("attach.unavailable", { error });
            return { keeper: engine, letGo: () => serving.close() };
          }
        },
        shut: (reason) => notLetIn({ call: "attach", inUse, reason, silence: SILENCE }),
      };
      const parts = { door, clock: platform.clock, random: platform.random, emit: events.emit, absolute: absolutePath, times };
      const log = await AttachedLog.open(parts, options.signal);
      const compression = createCompression(core, platform.codecs);
      return new EmbeddedOdradek(log.keeper, { core, compression, events }, platform, path);
    },

    serve(platform, path, engine) {
      const serving = servingFor(platform, engine);
      let listening: Promise<() => Promise<void>> | null = null;
      const timer = platform.clock.after(LISTEN_AFTER_MS, () => {
        listening = serve(path, serving).catch((error: unknown) => {
          engine.events.emit("attach.unavailable", { error });
          return () => serving.close();
        });
      });
      return async () => {
        timer.cancel();
        await (listening === null ? serving.close() : (await listening)());
      };
    },

    isWithin(inner, outer) {
      const [below, above] = [absolutePath(inner), absolutePath(outer).replace(/[\\/]$/, "")];
      return below.startsWith(above) && /^[\\/]/.test(below.slice(above.length));
    },
  };
}

/** Answers how to end it: nobody comes any more, then those that are there are let go. */
async function serve(path: string | URL, serving: Serving): Promise<() => Promise<void>> {
  const stopListening = await listenAt(path, (channel) => serving.accept(channel));
  return async () => {
    await stopListening();
    await serving.close();
  };
}
