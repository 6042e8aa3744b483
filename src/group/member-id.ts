/** The ids members are known by, and the answer to a client that must join again with the one it was given. */
import type { Random } from "../base/clock.ts";
import { GroupError } from "../base/errors.ts";

/** Kafka's `<clientId>-<uuid>`, or `<groupInstanceId>-<uuid>` for a static member; the uuid is random (version 4). */
export function newMemberId(prefix: string, random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${prefix}-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** `MEMBER_ID_REQUIRED`: join again with `memberId` before the session timeout has passed. */
export class MemberIdRequiredError extends GroupError {
  readonly memberId: string;

  constructor(groupId: string, memberId: string) {
    super("MEMBER_ID_REQUIRED", `group "${groupId}" has given this client the member id "${memberId}"; it must join again with it`);
    this.memberId = memberId;
  }
}
