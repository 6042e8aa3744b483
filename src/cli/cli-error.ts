/** What ends a command in failure: its sentence, its code, and the exit code that follows from it. */

export const EXIT_OK = 0;
/** What was asked for could not be done, or damage was found. */
export const EXIT_FAILURE = 1;
/** The command line itself is wrong. */
export const EXIT_USAGE = 2;

/** The command line can be mended by the one who typed it. */
export class CommandLineError extends Error {
  readonly code: string;

  constructor(message: string, code = "USAGE") {
    super(message);
    this.code = code;
  }
}

/** What was read, from input or from the log, is not what was promised: the data must be mended. */
export class DataError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** The reader of our output has gone (`| head -1`): no failure, but there is nothing more to say. */
export class PipeClosedError extends Error {}

/** Codes of the face that only a wrong word on the command line brings about. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  "INVALID_ARGUMENT",
  "INVALID_CONFIG",
  "UNKNOWN_CONFIG",
  "INVALID_TOPIC_EXCEPTION",
  "INVALID_PARTITIONS",
  "INVALID_GROUP_ID",
  "INVALID_TIMESTAMP",
  "NOT_A_DIRECTORY",
]);

export interface Failure {
  readonly exitCode: number;
  readonly code: string;
  readonly message: string;
  /** What the error says besides, in the face's field names. */
  readonly details: Readonly<Record<string, unknown>>;
}

const DETAILS = ["range", "file", "byteRange", "offsetRange", "nextReadableOffset", "holder"] as const;

export function failureOf(error: unknown): Failure {
  if (error instanceof CommandLineError) return { exitCode: EXIT_USAGE, code: error.code, message: error.message, details: {} };
  const { code: given, message: text } = (typeof error === "object" && error !== null ? error : {}) as {
    code?: unknown;
    message?: unknown;
  };
  const code = typeof given === "string" ? given : "UNKNOWN_SERVER_ERROR";
  const message = typeof text === "string" ? text : String(error);
  const details: Record<string, unknown> = {};
  for (const field of DETAILS) {
    const value = (error as Record<string, unknown> | null)?.[field];
    if (value !== undefined && value !== null) details[field] = value;
  }
  return { exitCode: USAGE_CODES.has(code) ? EXIT_USAGE : EXIT_FAILURE, code, message, details };
}
