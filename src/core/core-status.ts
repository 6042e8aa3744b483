/** The negative answers of the core: assembly/panic/status.ts, seen from here. */
export const COMPRESSED = -2;
export const WINDOW_FULL = -3;
export const TIMESTAMP = -4;
/** More bytes would come out of a compressed block than there is room for. */
export const TOO_LONG = -7;
