/** How a coordinator says that a member's partitions are no longer its own. */
import { OdradekError } from "../base/errors.ts";

/** It was put out, another took its place, or a generation began without it. */
export function isLost(error: unknown): boolean {
  return (
    error instanceof OdradekError &&
    (error.code === "UNKNOWN_MEMBER_ID" || error.code === "ILLEGAL_GENERATION" || error.code === "FENCED_INSTANCE_ID")
  );
}
