/** `repair`: what verify finds, mended. A dry run unless told: first it says what it would do. */
import { reasonOf } from "../../base/reason.ts";
import type { Defect } from "../../log/files/defect.ts";
import type { RepairStep } from "../../log/survey/repair.ts";
import { nodeHolder, nodeStorage } from "../../storage/node.ts";
import { EXIT_FAILURE, EXIT_OK } from "../cli-error.ts";
import { existingDirectory, withLog } from "../directory.ts";
import type { Io, Run } from "../io.ts";
import { mendDirectory, planMending } from "../mending.ts";
import { contextFor, verifyDirectory } from "../verification.ts";

export const run: Run = async (_args, options, io) => {
  const path = await existingDirectory(options, io);
  const isJson = options["json"] === true;
  const executes = options["execute"] === true;
  const tell = (step: Pick<RepairStep, "file" | "action">, done: boolean): void => {
    if (isJson) io.out.json({ type: "step", file: step.file, action: step.action, done });
    else io.out.line(`${done ? "done" : "would do"}: ${step.file}: ${step.action}`);
  };
  const refuse = (defect: Defect): void => {
    if (isJson) io.out.json({ type: "defect", ...defect });
    else io.out.line(`cannot be mended here: ${defect.problem}; ${defect.remedy}`);
  };
  if (!executes) {
    const context = await contextFor(path, true);
    try {
      const { steps, beyond } = planMending(context, await verifyDirectory(context, () => {}));
      for (const step of steps) tell(step, false);
      for (const defect of beyond) refuse(defect);
      if (steps.length === 0 && beyond.length === 0 && !isJson) io.out.line(`${path}: nothing to mend`);
      else if (steps.length > 0) io.note("nothing was changed: --execute does it");
      return steps.length === 0 && beyond.length === 0 ? EXIT_OK : EXIT_FAILURE;
    } finally {
      await context.storage.close();
    }
  }
  const before = await mend(path, io, (step) => tell(step, true));
  // As after a crash: offsets beyond their logs are set back, checkpoints and states written anew, and the directory closed in order.
  if (before.hasMended) {
    try {
      await withLog(path, io, false, async () => {});
    } catch (error) {
      // A book that no repair brings back: what remains is told below.
      io.note(`it does not open yet: ${reasonOf(error)}`);
    }
  }
  const after = await remaining(path);
  for (const defect of after) refuse(defect);
  if (after.length === 0 && !isJson) io.out.line(`${path}: ${before.hasMended ? "mended" : "nothing to mend"}`);
  return after.length === 0 ? EXIT_OK : EXIT_FAILURE;
};

/** Under the lock: nobody writes meanwhile. */
async function mend(path: string, io: Io, onDone: (step: RepairStep) => void): Promise<{ readonly hasMended: boolean }> {
  const driver = nodeStorage(path);
  const lock = await driver.lock(nodeHolder(), { mechanism: "auto", allowNetworkFileSystem: false, signal: io.signal });
  const context = await contextFor(path, false);
  try {
    return { hasMended: await mendDirectory(context, onDone) };
  } finally {
    await context.storage.close();
    await lock.release();
  }
}

async function remaining(path: string): Promise<Defect[]> {
  const context = await contextFor(path, true);
  try {
    const { partitions, defects } = await verifyDirectory(context, () => {});
    return [...partitions.flatMap((survey) => [...survey.defects]), ...defects];
  } finally {
    await context.storage.close();
  }
}
