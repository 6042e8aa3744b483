/** Validation by a Standard Schema (standardschema.dev, version 1): whose verdicts are asked for at once or not at all. */
import type { StandardSchema } from "../../api/serde.ts";
import { UsageError } from "../errors.ts";

/** Issues told in one error's message; the rest are counted. */
const ISSUES_TOLD_MAX = 3;

export type Validate = (value: unknown) => unknown;

/** The schema's validator: gives the schema's output, or throws an `Error` that says what is wrong with the value. */
export function validatorOf<In, Out>(schema: StandardSchema<In, Out> | undefined, where: string): Validate | null {
  if (schema === undefined) return null;
  const standard = schema !== null && (typeof schema === "object" || typeof schema === "function") ? schema["~standard"] : undefined;
  if (standard?.version !== 1 || typeof standard.validate !== "function") {
    throw new UsageError("INVALID_ARGUMENT", `${where}: expected a Standard Schema, version 1 (an object with "~standard")`);
  }
  return (value) => {
    const result = standard.validate(value);
    if (isThenable(result)) {
      // Its rejection is nobody's: the call is refused whatever it says.
      result.then(undefined, () => {});
      throw new UsageError(
        "INVALID_ARGUMENT",
        `${where}: the schema of ${standard.vendor} validates asynchronously; serdes are synchronous`,
      );
    }
    if (typeof result !== "object" || result === null) {
      throw new UsageError("INVALID_ARGUMENT", `${where}: the schema of ${standard.vendor} answered with no result`);
    }
    const { issues, value: output } = result as { readonly issues?: readonly Issue[]; readonly value?: unknown };
    if (issues !== undefined && issues !== null) throw new Error(sentence(issues, standard.vendor), { cause: issues });
    return output;
  };
}

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

function isThenable(result: unknown): result is PromiseLike<unknown> {
  return typeof result === "object" && result !== null && typeof (result as { then?: unknown }).then === "function";
}

function sentence(issues: readonly Issue[], vendor: string): string {
  const told = issues.slice(0, ISSUES_TOLD_MAX).map(({ message, path }) => {
    const place = (path ?? []).map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return place === "" ? message : `${place}: ${message}`;
  });
  const more = issues.length > ISSUES_TOLD_MAX ? `; and ${issues.length - ISSUES_TOLD_MAX} more` : "";
  return `the schema of ${vendor} refuses the value: ${told.join("; ")}${more}`;
}
