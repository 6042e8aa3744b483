/** Why an export refuses what it was given: the negative answers. These are the data's fault; `Fault` is for ours. */
export const enum Status {
  /** Record framing that does not add up, or a header that cannot be. */
  MALFORMED = -1,
  /** The records are compressed: they cannot be looked into here. */
  COMPRESSED = -2,
}
