/** The serdes that come with the package. */
export { bytes } from "./serdes/bytes.ts";
export { json } from "./serdes/json.ts";
export { msgpack } from "./serdes/msgpack.ts";
export { utf8 } from "./serdes/utf8.ts";
