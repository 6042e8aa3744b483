/** `odradek/opfs`: the log in a browser's origin private file system. Open it in a dedicated worker: `open({ storage: opfs("app") })`. */
export { type OpfsOptions, opfs } from "./storage/opfs.ts";
