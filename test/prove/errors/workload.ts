/** What a partition goes through in a day: the same calls every time, as long as nothing fails. */
import type { RigOptions } from "../../log/log-rig.ts";
import type { LogDay } from "./log-day.ts";

export interface Workload<State = unknown> {
  readonly name: string;
  readonly options: RigOptions;
  /** How far ahead of what is written its disk says that a file is best made long; 0 unless given. */
  readonly aheadByteLength?: number;
  /** Producers write, or reads may find what only they explain. */
  readonly producers?: boolean;
  /** The day before, on which nothing fails: the disk that it leaves is the one that every day begins with. */
  prepare(day: LogDay): Promise<State>;
  copy(state: State): State;
  /** The day: whatever is refused, it goes on. */
  live(day: LogDay, state: State): Promise<void>;
  /** All that can be read, held against everything promised. Throws `Broken`. `isReopened`: a recovery has settled what was in doubt. */
  check(day: LogDay, state: State, at: { readonly isPowerLost: boolean; readonly isReopened: boolean }): Promise<void>;
  /** An append; answers whether it was acknowledged. */
  append(day: LogDay, state: State): Promise<boolean>;
}
