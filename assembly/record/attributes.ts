/** The bits of a batch's attributes. */
export const CODEC_MASK: i32 = 0x07;
export const LOG_APPEND_TIME: i32 = 0x08;
export const TRANSACTIONAL: i32 = 0x10;
export const CONTROL: i32 = 0x20;
export const DELETE_HORIZON: i32 = 0x40;
