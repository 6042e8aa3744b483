/** A door that lets a fixed number through at once, in the order they came. */

export class Gate {
  readonly #placeCount: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(placeCount: number) {
    this.#placeCount = placeCount;
  }

  /** Places taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Those who wait outside. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Takes a place if one is free and nobody waits for it. Whoever gets one gives it back with `leave`. */
  tryEnter(): boolean {
    if (this.#taken >= this.#placeCount) return false;
    this.#taken++;
    return true;
  }

  /** Resolves when a place is ours. */
  enter(): Promise<void> | undefined {
    if (this.tryEnter()) return undefined;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  leave(): void {
    // The place is handed on without being free in between, so that no newcomer passes those who wait.
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
