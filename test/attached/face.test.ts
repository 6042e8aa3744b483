/**
 * The face from the other end of a message port: what holds of a log here holds there. These are the tests of the face itself, with logs that
 * are attached to (test/face/support.ts); `ODRADEK_FACE=attached npx vitest run test/face` runs all of them so.
 */
import { vi } from "vitest";

vi.stubEnv("ODRADEK_FACE", "attached");
await import("../face/sending.test.ts");
await import("../face/groups.test.ts");
