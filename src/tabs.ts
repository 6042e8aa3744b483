/** A log that the tabs of an origin share: the worker of one tab has it, the others work through that one, and any of them takes its place. */
import { AttachedLog } from "./attached/attached-log.ts";
import { ATTACH_TIMES, type AttachTimes, type Door } from "./attached/door.ts";
import { isTaken, notLetIn } from "./attached/not-let-in.ts";
import { Serving } from "./attached/serving.ts";
import { listenForTabs, reachTab, type TabDoorParts } from "./attached/tab-door.ts";
import type { MakeTabChannel } from "./attached/tab-port.ts";
import { type OdradekError, StorageError } from "./base/errors.ts";
import { createCompression } from "./compression/create-compression.ts";
import { loadCore } from "./core/load-core.ts";
import type { Engine } from "./engine/engine.ts";
import { Events } from "./engine/events.ts";
import { startEngine } from "./engine/start-engine.ts";
import { EmbeddedOdradek } from "./odradek.ts";
import { wiringOf } from "./open.ts";
import { checkOpenOptions } from "./open-options.ts";
import type { OpenTab } from "./open-tab.ts";
import type { Platform } from "./platform.ts";
import { opfs, opfsLockName } from "./storage/opfs.ts";
import { webScope } from "./storage/opfs-web.ts";

const SILENCE = "the tab that has it does not answer: it hangs, or opened it with open(), which shares with nobody";

export function openTabOn(platform: Platform, times: AttachTimes = ATTACH_TIMES): OpenTab {
  return async (name, given = {}) => {
    const { create, directory, ...rest } = given;
    const newStorage = (): ReturnType<typeof opfs> => opfs(name, { create, directory });
    newStorage();
    const options = checkOpenOptions(rest);
    options.signal?.throwIfAborted();
    const parts = tabDoorParts(name);
    const wasm = options.wasm ?? platform.wasm;
    const core = await loadCore({ wasm });
    const events = new Events(platform.clock, { onEvent: options.onEvent, logger: options.logger, publish: platform.publish });
    const wiring = { ...wiringOf(platform), core, events };
    let inUse: OdradekError | null = null;
    const door: Door = {
      reach: (signal) => reachTab(parts, signal),
      async own(signal) {
        let engine: Engine;
        try {
          engine = await startEngine(wiring, newStorage(), { ...options, wasm, signal, lockRetryMs: 0 });
        } catch (error) {
          if (!isTaken(error)) throw error;
          inUse = error;
          return null;
        }
        const serving = new Serving({ keeper: engine, clock: platform.clock, pulse: times.pulse, storageAt: platform.storageAt });
        const stopListening = listenForTabs(parts, (channel) => serving.accept(channel));
        const letGo = async (): Promise<void> => {
          stopListening();
          await serving.close();
        };
        return { keeper: engine, letGo };
      },
      shut: (reason) => notLetIn({ call: "openTab", inUse, reason, silence: SILENCE }),
    };
    const log = await AttachedLog.open(
      { door, clock: platform.clock, random: platform.random, emit: events.emit, absolute: String, times },
      options.signal,
    );
    return new EmbeddedOdradek(log.keeper, { core, compression: createCompression(core, platform.codecs), events }, platform);
  };
}

function tabDoorParts(name: string): TabDoorParts {
  const scope = globalThis as unknown as { readonly BroadcastChannel?: new (name: string) => ReturnType<MakeTabChannel> };
  const locks = webScope().navigator?.locks;
  const { BroadcastChannel } = scope;
  if (locks === undefined || BroadcastChannel === undefined) {
    throw new StorageError(
      "LOCK_UNAVAILABLE",
      "openTab: tabs find each other by Web Locks and BroadcastChannel, and one of them is not here: browsers have both on pages that came over https or from localhost",
    );
  }
  return {
    lockName: opfsLockName(name),
    locks,
    channel: (channelName) => new BroadcastChannel(channelName),
    newId: () => crypto.randomUUID(),
  };
}
