/** How much of each prover a run takes. */

/** What the ten-minute tier is to reach on two cores; other lengths in proportion. */
export const TEN_MINUTES = {
  crash: 250_000,
  errors: 20_000,
  bits: 1_000_000,
  kills: 300,
  model: 200_000,
  fuzz: 400_000,
  traces: 100,
  zoo: 10,
};

/** For how many minutes the provers run. A night is ten of the ten-minute tier and what mutants need, within two hours. */
export const TIERS = { two: 2, ten: 10, night: 100 };

/** Of a night, for the mutants of the core and as many for those of the TypeScript. */
export const MUTATION_MINUTES = 9;

/**
 * Of each prover how many of its units.
 * @param {number} minutes
 * @param {boolean} isNight then every planted bug has its turn
 * @param {number} zooSize
 * @returns {Record<string, number>}
 */
export function targetsOf(minutes, isNight, zooSize) {
  const scaled = Object.entries(TEN_MINUTES).map(([name, target]) => [name, Math.max(1, Math.round((target * minutes) / 10))]);
  return { ...Object.fromEntries(scaled), zoo: isNight ? zooSize : Math.min(zooSize, Math.max(1, Math.round(minutes))) };
}
