/** How far ahead of what is written simulated disks say that a file is best made long: not at all, by less than a batch, by some, by more than a life writes. */
export const AHEAD_BYTE_LENGTHS: readonly number[] = [0, 64, 500, 8192];
