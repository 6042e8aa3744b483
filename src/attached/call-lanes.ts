/** Calls of which only a few may be under way at a time: the batches of one producer for one partition. */
import type { OpenCall } from "./open-call.ts";

/** As Kafka's clients: a log remembers so many batches of a producer, and answers those when they come again. */
const LANE_CALLS_MAX = 5;

interface Lane {
  count: number;
  readonly line: OpenCall[];
}

export class CallLanes {
  readonly #lanes: Map<string, Lane> = new Map();

  /** Whether the call may go now; else it stands in line, and `leave` answers it in its turn. */
  enter(call: OpenCall): boolean {
    if (call.lane === null) return true;
    let lane = this.#lanes.get(call.lane);
    if (lane === undefined) {
      lane = { count: 0, line: [] };
      this.#lanes.set(call.lane, lane);
    }
    if (lane.count < LANE_CALLS_MAX) {
      lane.count += 1;
      return true;
    }
    lane.line.push(call);
    return false;
  }

  /** The call is over; answers the one that may go in its place. */
  leave(call: OpenCall): OpenCall | null {
    const lane = call.lane === null ? undefined : this.#lanes.get(call.lane);
    if (lane === undefined) return null;
    const place = lane.line.indexOf(call);
    if (place >= 0) {
      // It never went.
      lane.line.splice(place, 1);
      return null;
    }
    const next = lane.line.shift() ?? null;
    if (next === null && --lane.count === 0) this.#lanes.delete(call.lane as string);
    return next;
  }

  inLine(): OpenCall[] {
    return [...this.#lanes.values()].flatMap(({ line }) => line);
  }

  clear(): void {
    this.#lanes.clear();
  }
}
