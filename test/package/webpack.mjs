/** `webpack.mjs ENTRY OUT TARGET MODE`: what webpack's command line does with those four and no configuration, without another package. */
import { resolve } from "node:path";
import webpack from "webpack";

const [entry, out, target, mode] = process.argv.slice(2);
webpack({ context: process.cwd(), entry: `./${entry}`, target, mode, output: { path: resolve(out) } }, (error, stats) => {
  if (error === null && !stats.hasErrors()) return;
  process.stdout.write(`${error?.stack ?? stats.toString({ all: false, errors: true, colors: false })}\n`);
  process.exitCode = 1;
});
