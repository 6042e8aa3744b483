/** All provers, by name. */
import { fuzzProver } from "./fuzz/fuzz-prover.ts";
import { killsProver } from "./kills/kills-prover.ts";
import { modelProver } from "./model/model-prover.ts";
import type { Prover } from "./prover.ts";

export const provers: ReadonlyMap<string, Prover> = new Map([fuzzProver, killsProver, modelProver].map((prover) => [prover.name, prover]));
