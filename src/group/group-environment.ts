/** What a group is given: time, ids, a place to be kept, and a way to be heard. */
import type { Clock } from "../base/clock.ts";
import type { GroupMetadata } from "./group-metadata.ts";

export interface GroupEnvironment {
  readonly clock: Clock;
  /** How long the first join of an empty group waits for others, when a member is not of this process. */
  readonly initialRebalanceDelayMs: number;
  readonly newMemberId: (prefix: string) => string;
  /** Resolves when written. Members of this process are not kept waiting for it. */
  readonly save: (groupId: string, metadata: GroupMetadata) => Promise<void>;
  /** `group.rebalancing`, `group.rebalanced`, `group.memberRemoved`, `group.notKept`. Never throws. */
  readonly emit: (type: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** What only a caller from outside the process has, and the signal that ends its wait. */
export interface JoinOptions {
  readonly clientHost?: string | undefined;
  /** The client joins twice: first for its id (`MemberIdRequiredError`), then with it. */
  readonly requireKnownMemberId?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}
