/** The line by which the holder of a lock says who it is. */
import type { LockHolder } from "../api/storage-driver.ts";

/** No honest line is longer; what is read from a lock's file is anyone's. */
export const HOLDER_BYTES_MAX = 8192;

export function holderLine(holder: LockHolder): string {
  const { pid, runtime, version, since, argv, hostname } = holder;
  const line = `${JSON.stringify({ pid, runtime, version, since, argv, hostname })}\n`;
  return line.length <= HOLDER_BYTES_MAX / 4 ? line : `${JSON.stringify({ pid, runtime, version, since, argv: [], hostname })}\n`;
}

/** The holder that a line names, with the fields that are what they should be; null for an empty or broken line. */
export function parseHolder(text: string): Partial<LockHolder> | null {
  const end = text.indexOf("\n");
  if (end < 0) return null;
  let found: unknown;
  try {
    found = JSON.parse(text.slice(0, end));
  } catch {
    return null;
  }
  if (typeof found !== "object" || found === null) return null;
  const { pid, runtime, version, since, argv, hostname } = found as Record<string, unknown>;
  return {
    ...(Number.isSafeInteger(pid) && { pid: pid as number }),
    ...(typeof runtime === "string" && { runtime }),
    ...(typeof version === "string" && { version }),
    ...(typeof since === "string" && { since }),
    ...(Array.isArray(argv) && argv.every((one) => typeof one === "string") && { argv }),
    ...(typeof hostname === "string" && { hostname }),
  };
}
