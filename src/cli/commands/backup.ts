/** `backup`: a consistent copy of the data directory, into an empty one. */
import { CommandLineError } from "../cli-error.ts";
import { withWritable } from "../directory.ts";
import type { Run } from "../io.ts";

export const run: Run = async (args, options, io) => {
  const [target] = args;
  if (target === undefined) throw new CommandLineError("backup: expected the directory to copy to, found none");
  return withWritable(options, io, async (log) => {
    const report = await log.backup(target);
    if (options["json"] === true) io.out.json({ directory: target, ...report });
    else io.out.line(`copied ${report.files} files, ${report.byteLength} bytes, to ${target}`);
    return undefined;
  });
};
