/** A CommonJS file of a server: the package by require(). */
import odradek = require("odradek");

export function main(): Promise<odradek.Odradek> {
  return odradek.open("data", { lock: "socket" });
}
