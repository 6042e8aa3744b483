/** Calls of the system with the number of one open file that come back later. The number may be given back when none is under way. */

type Done<Result> = (error: Error | null, result?: Result) => void;

export class NodeCalls {
  #inFlight = 0;
  #drained: (() => void) | null = null;

  make<Result = void>(call: (done: Done<Result>) => void): Promise<Result> {
    return new Promise((resolve, reject) => {
      const done: Done<Result> = (error, result) => {
        if (error === null) resolve(result as Result);
        else reject(error);
        this.#inFlight -= 1;
        if (this.#inFlight === 0) this.#drained?.();
      };
      this.#inFlight += 1;
      try {
        call(done);
      } catch (error) {
        // Refused before it was made: the permission model does so.
        done(error as Error);
      }
    });
  }

  /** Resolves when all that were made have come back. */
  async over(): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }
}
