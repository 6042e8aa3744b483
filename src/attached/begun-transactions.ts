/** The transactions of this process, and which of them went with an owner: opening the log aborts those, under a raised epoch. */
import { abortedWithOwner, type OpenCall } from "./open-call.ts";

export class BegunTransactions {
  /** The last one begun under each transactional id. */
  readonly #begun: Map<string, { readonly identity: string; isLost: boolean }> = new Map();

  /** What belongs to one that is lost is refused here: its log would call the producer fenced. */
  mayGo(call: OpenCall): boolean {
    if (call.transaction === null) return true;
    const { id, identity } = call.transaction;
    const begun = this.#begun.get(id);
    if (begun?.identity === identity && begun.isLost && !call.wasLost) {
      call.reject(abortedWithOwner());
      return false;
    }
    if (call.name === "addPartitions" || call.name === "addOffsets") this.#begun.set(id, { identity, isLost: false });
    return true;
  }

  ownerWent(): void {
    for (const begun of this.#begun.values()) begun.isLost = true;
  }

  over({ name, transaction }: OpenCall): void {
    if (name !== "endTransaction" || transaction === null) return;
    const { id, identity } = transaction;
    if (this.#begun.get(id)?.identity === identity) this.#begun.delete(id);
  }
}
