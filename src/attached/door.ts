/** How a process comes to a log, and how long it tries: what the attached log is given from above. */
import type { LogKeeper } from "../api/broker.ts";
import type { OdradekError } from "../base/errors.ts";
import type { Channel } from "./channel.ts";
import type { PulseTimes } from "./pulse.ts";

/** Both ways may be asked for again and again. */
export interface Door {
  /** Takes the log for this process, and serves the others. null: somebody else has it. */
  own(signal: AbortSignal): Promise<Owned | null>;
  /** A channel to whoever has it; null: nobody is to be reached. */
  reach(signal: AbortSignal): Promise<Channel | null>;
  /** Once nobody is reached, nobody ever will be. */
  readonly isOnce?: boolean;
  /** The error for the one who cannot come in. */
  shut(reason: unknown): OdradekError;
}

export interface Owned {
  readonly keeper: LogKeeper;
  /** Ends what others have under way here; to be called before the log closes. */
  readonly letGo: () => Promise<void>;
}

export interface AttachTimes {
  readonly pulse: PulseTimes;
  /** For an answer to the hello. */
  readonly helloMs: number;
  /** For a way in, when the log is opened. */
  readonly openMs: number;
  /** For the next owner, when the last one has gone: after that calls are rejected. */
  readonly callMs: number;
}

/** Silent for 20 s: a process that is stopped, or whose loop is blocked, for longer is one that nobody can wait for. */
export const ATTACH_TIMES: AttachTimes = { pulse: { everyMs: 5000, silentMs: 20_000 }, helloMs: 2000, openMs: 3000, callMs: 10_000 };
