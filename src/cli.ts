#!/usr/bin/env node
/** The program `odradek`. */
import { reasonOf } from "./base/reason.ts";
import { main } from "./cli/main.ts";

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    process.stderr.write(`odradek: UNKNOWN_SERVER_ERROR: ${reasonOf(error)}\n`);
    process.exitCode = 1;
  },
);
