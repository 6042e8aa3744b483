/** The little of two libraries without types of their own that tests hold against our codecs. */
declare module "lz4js" {
  const lz4js: { compress(bytes: Uint8Array): Uint8Array | number[]; decompress(bytes: Uint8Array): Uint8Array | number[] };
  export default lz4js;
}
declare module "snappyjs" {
  const snappyjs: { compress(bytes: Uint8Array): Uint8Array; uncompress(bytes: Uint8Array): Uint8Array };
  export default snappyjs;
}
