/** `verify`: a sentence for every defect of a data directory, and nothing changed. */
import type { Defect } from "../../log/files/defect.ts";
import { CommandLineError, EXIT_FAILURE, EXIT_OK } from "../cli-error.ts";
import { existingDirectory } from "../directory.ts";
import type { Run } from "../io.ts";
import { contextFor, verifyDirectory } from "../verification.ts";

export const run: Run = async (args, options, io) => {
  const [named] = args;
  if (named !== undefined && options["dir"] !== undefined)
    throw new CommandLineError("verify: expected the directory once, by its place or with --dir");
  const path = await existingDirectory(named === undefined ? options : { ...options, dir: named }, io);
  const isJson = options["json"] === true;
  const context = await contextFor(path, true);
  try {
    const tell = (defect: Defect): void => {
      if (isJson) io.out.json({ type: "defect", ...defect });
      else io.out.line(`${defect.problem}; ${defect.remedy}`);
    };
    const note = (text: string): void => {
      if (isJson) io.out.json({ type: "note", note: text });
      else io.out.line(`note: ${text}`);
    };
    const { partitions, defects, notes, cleanShutdown } = await verifyDirectory(context, (survey) => {
      for (const defect of survey.defects) tell(defect);
      for (const each of survey.notes) note(each);
    });
    for (const defect of defects) tell(defect);
    for (const each of notes) note(each);
    const defectCount = defects.length + partitions.reduce((sum, each) => sum + each.defects.length, 0);
    const segments = partitions.flatMap((each) => each.segments);
    const summary = {
      partitions: partitions.length,
      segments: segments.length,
      batches: segments.reduce((sum, each) => sum + each.batchCount, 0),
      byteLength: segments.reduce((sum, each) => sum + each.end, 0),
      cleanShutdown,
      defects: defectCount,
    };
    if (isJson) io.out.json({ type: "summary", ...summary });
    else {
      const how = cleanShutdown ? "closed in order" : "not closed in order, or open now";
      const result = defectCount === 0 ? "no damage" : `${defectCount} defect${defectCount === 1 ? "" : "s"}`;
      io.out.line(
        `${path}: ${summary.partitions} partitions, ${summary.segments} segments, ${summary.batches} batches, ${summary.byteLength} bytes, ${how}: ${result}`,
      );
    }
    return defectCount === 0 ? EXIT_OK : EXIT_FAILURE;
  } finally {
    await context.storage.close();
  }
};
