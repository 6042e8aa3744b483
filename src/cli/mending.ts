/** Mends a whole data directory by what a verification found: the partitions by their surveys, the books at the top by setting them aside. */
import { removeCleanShutdown } from "../log/books/clean-shutdown.ts";
import type { LogContext } from "../log/context/log-context.ts";
import type { Defect } from "../log/files/defect.ts";
import { setAside } from "../log/files/set-aside.ts";
import { isRepairable, planRepair, type RepairStep } from "../log/survey/repair.ts";
import { resolveConfig } from "../topic/topic-config.ts";
import { type Verification, verifyDirectory } from "./verification.ts";

export interface MendingPlan {
  readonly steps: readonly RepairStep[];
  readonly beyond: readonly Defect[];
}

export function planMending(context: LogContext, verification: Verification): MendingPlan {
  const defaults = resolveConfig({});
  const { partitions, defects } = verification;
  const steps = partitions.flatMap((survey) => [...planRepair(context, survey, defaults).steps]);
  const all = [...partitions.flatMap((survey) => [...survey.defects]), ...defects];
  const checkpoints = new Set(
    defects.filter((defect) => defect.kind === "offsets" && !defect.file.includes("/")).map((defect) => defect.file),
  );
  for (const file of checkpoints) {
    steps.push({
      file,
      action: "sets the file aside; it is written anew from the logs",
      run: async () => void (await setAside(context.storage, "", file)),
    });
  }
  for (const defect of defects) {
    if (defect.kind === "offsets" && defect.file.includes("/")) {
      steps.push({ file: defect.file, action: "sets the committed offset back to the log's end", run: async () => {} });
    }
  }
  return { steps, beyond: all.filter((defect) => !isRepairable(defect.kind)) };
}

/** Under the directory's lock, which the caller holds. Answers whether anything was to be mended; the next open then puts the rest in order. */
export async function mendDirectory(context: LogContext, onDone: (step: RepairStep) => void): Promise<boolean> {
  const { steps } = planMending(context, await verifyDirectory({ ...context, readOnly: true }, () => {}));
  if (steps.length === 0) return false;
  // Gone first: if the power fails on the way, the next open looks for itself.
  await removeCleanShutdown(context.storage);
  for (const step of steps) {
    await step.run();
    onDone(step);
  }
  return true;
}
