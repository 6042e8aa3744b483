/** The consumers that a producer's transactions speak of, as far as it is always the same ones: a body that throws early has named none. */
import type { TransactionLink } from "../base/transaction-link.ts";

export class UsualLinks {
  /** null: none was ever named, or not always the same. */
  #links: ReadonlySet<TransactionLink> | null = null;
  #areVarious = false;

  /** Those that a transaction named; where it named none, those that all before it did. */
  linksOf(claims: ReadonlyMap<TransactionLink, unknown>): Iterable<TransactionLink> {
    return claims.size > 0 || this.#links === null ? claims.keys() : this.#links;
  }

  /** A transaction has ended. Of one that named none nothing is learnt. */
  learn(claims: ReadonlyMap<TransactionLink, unknown>): void {
    if (claims.size === 0 || this.#areVarious) return;
    const links = this.#links;
    if (links === null) this.#links = new Set(claims.keys());
    else if (links.size !== claims.size || [...claims.keys()].some((link) => !links.has(link))) {
      this.#links = null;
      this.#areVarious = true;
    }
  }
}
