/** All provers, by name. */
import { modelProver } from "./model/model-prover.ts";
import type { Prover } from "./prover.ts";

export const provers: ReadonlyMap<string, Prover> = new Map([modelProver].map((prover) => [prover.name, prover]));
