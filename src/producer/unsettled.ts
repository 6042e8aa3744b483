/** What has begun and not yet settled, in epochs: a flush ends one and waits for it and all before it. */
export class Epoch {
  count = 0;
  drained: (() => void) | null = null;

  end(): void {
    this.count -= 1;
    if (this.count === 0) this.drained?.();
  }
}

export class Unsettled {
  #epoch: Epoch = new Epoch();
  #before: Promise<unknown> = Promise.resolve();

  /** Whoever begins something ends the epoch it was given, once. */
  begin(): Epoch {
    this.#epoch.count += 1;
    return this.#epoch;
  }

  /** Resolves when everything begun before has ended. Never rejects. */
  async settled(): Promise<void> {
    const epoch = this.#epoch;
    if (epoch.count > 0) {
      this.#epoch = new Epoch();
      const ended = new Promise<void>((resolve) => {
        epoch.drained = resolve;
      });
      this.#before = Promise.all([this.#before, ended]);
    }
    await this.#before;
  }
}
