/** `odradek/durable-object`: the log in a Durable Object with SQLite: `open({ storage: durableObject(ctx) })`. */
export { durableObject } from "./storage/durable-object.ts";
