/** The owner's side: whoever comes gets a session, until the log closes. */
import type { Channel } from "./channel.ts";
import { Session, type SessionParts } from "./session.ts";

export type ServingParts = Omit<SessionParts, "onEnd">;

export class Serving {
  readonly #parts: ServingParts;
  readonly #sessions: Set<Session> = new Set();
  readonly #onQuiet: () => void;
  #closing: Promise<void> | null = null;

  /** `onQuiet`: the last of those that were there has left. */
  constructor(parts: ServingParts, onQuiet: () => void = () => {}) {
    this.#parts = parts;
    this.#onQuiet = onQuiet;
  }

  get count(): number {
    return this.#sessions.size;
  }

  accept(channel: Channel): void {
    if (this.#closing !== null) return void channel.close();
    this.#sessions.add(new Session(channel, { ...this.#parts, onEnd: (session) => this.#left(session) }));
  }

  #left(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#onQuiet();
  }

  /** Resolves when nothing of theirs is under way. To be called before the log closes. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#sessions].map((session) => session.close())).then(() => {});
    return this.#closing;
  }
}
