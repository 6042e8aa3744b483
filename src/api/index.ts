/// <reference lib="esnext.disposable" preserve="true" />
/** The face and the broker port as types: no line of this folder runs. */
export type * from "./broker.ts";
export type * from "./bytes.ts";
export type * from "./consumer.ts";
export type * from "./errors.ts";
export type * from "./group.ts";
export type * from "./odradek.ts";
export type * from "./producer.ts";
export type * from "./serde.ts";
export type * from "./storage-driver.ts";
export type * from "./table.ts";
export type * from "./topic.ts";
