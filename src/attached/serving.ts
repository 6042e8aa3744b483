/** The owner's side: whoever comes gets a session, until the log closes. */
import type { Channel } from "./channel.ts";
import { Session, type SessionParts } from "./session.ts";

export type ServingParts = Omit<SessionParts, "onEnd">;

export class Serving {
  readonly #parts: ServingParts;
  readonly #sessions: Set<Session> = new Set();
  #closing: Promise<void> | null = null;

  constructor(parts: ServingParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#sessions.size;
  }

  accept(channel: Channel): void {
    if (this.#closing !== null) return void channel.close();
    this.#sessions.add(new Session(channel, { ...this.#parts, onEnd: (session) => this.#sessions.delete(session) }));
  }

  /** Resolves when nothing of theirs is under way. To be called before the log closes. */
  close(): Promise<void> {
    this.#closing ??= Promise.all([...this.#sessions].map((session) => session.close())).then(() => {});
    return this.#closing;
  }
}
