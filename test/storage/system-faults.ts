/** The calls of node's file system that the drivers make, each to be refused by plan. For tests that mock `node:fs` with it. */

interface PlannedRefusal {
  readonly call: string;
  readonly where: RegExp;
  readonly errno: string;
  times: number;
  /** What it answers instead of a refusal. */
  readonly answer?: unknown;
  /** What happens just before it, which is then made as if nothing were. */
  readonly action?: () => void;
}

const planned: PlannedRefusal[] = [];

/** The next `times` calls of this name whose arguments name such a path are refused. */
export function refuse(call: string, errno: string, where: RegExp = /./, times = 1): void {
  planned.push({ call, where, errno, times });
}

/** The next call of this name about such a path is answered so. */
export function answerWith(call: string, answer: unknown, where: RegExp = /./): void {
  planned.push({ call, where, errno: "answered", times: 1, answer });
}

/** Just before the next call of this name about such a path, something happens: another process, as it were, has been there. */
export function justBefore(call: string, where: RegExp, action: () => void): void {
  planned.push({ call, where, errno: "preceded", times: 1, action });
}

/** Forgets them all; answers those that were never met. */
export function forgetRefusals(): string[] {
  return planned
    .splice(0)
    .flatMap(({ call, errno, times }) => (times > 0 && times !== Number.POSITIVE_INFINITY ? [`${call} ${errno}`] : []));
}

/** The module with every function of it behind the plan. */
export function refusing<Module extends object>(real: Module): Module {
  const wrapped: Record<string, unknown> = { ...(real as Record<string, unknown>) };
  // Those of node:fs/promises answer later.
  const isAsynchronous = "rename" in real && !("renameSync" in real);
  for (const [name, value] of Object.entries(real)) {
    if (typeof value !== "function" || !/^[a-z]/.test(name)) continue;
    const { native } = value as { native?: unknown };
    wrapped[name] = Object.assign(behindPlan(name, value), native === undefined ? {} : { native: behindPlan(`${name}.native`, native) });
  }
  return wrapped as Module;

  function behindPlan(name: string, value: unknown): (...args: unknown[]) => unknown {
    return (...args) => {
      const met = planned.find(({ call, where, times }) => call === name && times > 0 && where.test(String(args[0])));
      if (met === undefined) return (value as (...given: unknown[]) => unknown)(...args);
      met.times -= 1;
      if (met.action !== undefined) {
        met.action();
        return (value as (...given: unknown[]) => unknown)(...args);
      }
      if (met.answer !== undefined) return isAsynchronous ? Promise.resolve(met.answer) : met.answer;
      const error = Object.assign(new Error(`${met.errno}: ${name} '${String(args[0])}'`), { code: met.errno });
      if (isAsynchronous) return Promise.reject(error);
      throw error;
    };
  }
}
