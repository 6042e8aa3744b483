/** How tabs of an origin find the one that has the log: a broadcast channel on which those who come say where they listen. */
import type { WebLocks } from "../storage/opfs-web.ts";
import type { Channel } from "./channel.ts";
import { PortChannel } from "./port-channel.ts";
import { type MakeTabChannel, type TabChannel, TabPort, WELCOME } from "./tab-port.ts";

/** A tab that has the log answers from its worker's loop; one that is busy for longer is asked again. */
const WELCOME_WAIT_MS_MAX = 1000;
/** A connection's id is random and short; what else comes by on the channel is not for us. */
const ID_PATTERN = /^[0-9a-f-]{36}$/;

export interface TabDoorParts {
  /** The lock of the log, which its owner holds: other names are made of it. */
  readonly lockName: string;
  readonly locks: WebLocks;
  readonly channel: MakeTabChannel;
  readonly newId: () => string;
}

/** Said on the log's channel by one who comes. */
interface Coming {
  readonly comes: string;
}

/** Said there by the tab that has just taken the log: whoever asked before it listened asks again. */
const HERE = "odradek:here";

/** Lets other tabs come to the one that has the log; answers how to end that. */
export function listenForTabs({ lockName, locks, channel }: TabDoorParts, accept: (channel: Channel) => void): () => void {
  const door = channel(lockName);
  const known = new Set<string>();
  door.unref?.();
  door.addEventListener("message", ({ data }) => {
    const id = (data as Partial<Coming> | null)?.comes;
    if (typeof id !== "string" || !ID_PATTERN.test(id) || known.has(id)) return;
    const connection = channel(`${lockName} ${id}`);
    const port = new TabPort(connection, locks, `${lockName} ${id}`);
    known.add(id);
    port.addEventListener("close", () => known.delete(id));
    accept(new PortChannel(port));
    connection.postMessage(WELCOME);
  });
  door.postMessage(HERE);
  return () => door.close();
}

/** A channel to the tab that has the log; null where none answers. */
export async function reachTab({ lockName, locks, channel, newId }: TabDoorParts, signal: AbortSignal): Promise<Channel | null> {
  const id = newId();
  const connection = channel(`${lockName} ${id}`);
  const port = new TabPort(connection, locks, lockName);
  // Held as long as the connection is: by this the owner learns that we died.
  await new Promise<void>((held) => {
    locks
      .request(`${lockName} ${id}`, {}, () => {
        held();
        return ended(port.over);
      })
      .catch(() => held());
  });
  const door = channel(lockName);
  const ask = (): void => door.postMessage({ comes: id } satisfies Coming);
  door.addEventListener("message", ({ data }) => data === HERE && ask());
  const isWelcome = await welcomed(connection, port.over, signal, ask);
  door.close();
  if (isWelcome) return new PortChannel(port);
  port.close();
  return null;
}

function welcomed(connection: TabChannel, over: AbortSignal, signal: AbortSignal, ask: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), WELCOME_WAIT_MS_MAX);
    const settle = (isWelcome: boolean): void => {
      clearTimeout(timer);
      resolve(isWelcome);
    };
    connection.addEventListener("message", ({ data }) => data === WELCOME && settle(true));
    over.addEventListener("abort", () => settle(false));
    signal.addEventListener("abort", () => settle(false));
    if (over.aborted || signal.aborted) settle(false);
    else ask();
  });
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}
