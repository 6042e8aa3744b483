/** All provers, by name. */
import { bitsProver } from "./bits/bits-prover.ts";
import { crashProver } from "./crash/crash-prover.ts";
import { errorsProver } from "./errors/errors-prover.ts";
import { fuzzProver } from "./fuzz/fuzz-prover.ts";
import { killsProver } from "./kills/kills-prover.ts";
import { modelProver } from "./model/model-prover.ts";
import type { Prover } from "./prover.ts";
import { tracesProver } from "./traces/traces-prover.ts";
import { zooProver } from "./zoo/zoo-prover.ts";

const all: readonly Prover[] = [bitsProver, crashProver, errorsProver, fuzzProver, killsProver, modelProver, tracesProver, zooProver];

export const provers: ReadonlyMap<string, Prover> = new Map(all.map((prover) => [prover.name, prover]));
