/** `backup`: a consistent copy of the data directory, into an empty one. */
import { withWritable } from "../directory.ts";
import type { Run } from "../io.ts";

export const run: Run = async (args, options, io) => {
  // The parser has refused the command without it.
  const [target] = args as readonly [string];
  return withWritable(options, io, async (log) => {
    const report = await log.backup(target);
    if (options["json"] === true) io.out.json({ directory: target, ...report });
    else io.out.line(`copied ${report.files} files, ${report.byteLength} bytes, to ${target}`);
    return undefined;
  });
};
