/** Cleaned segments on their way into place: one after another, each while the next one is still being cleaned. */

export class Placing {
  #underWay: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  /** Begins to place one when the one before it stands. When that has failed it rejects, and the new one is taken back by `discard`. */
  async next(place: () => Promise<void>, discard: () => Promise<void>): Promise<void> {
    await this.#underWay;
    if (this.#failure !== null) await discard();
    this.throwIfFailed();
    this.#underWay = place().catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** What could not be placed ends the cleaning of the next one too. */
  throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Resolves when nothing is under way any more; rejects when something could not be placed. */
  async done(): Promise<void> {
    await this.#underWay;
    this.throwIfFailed();
  }
}
