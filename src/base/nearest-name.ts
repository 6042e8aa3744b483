/** The name that was probably meant, for "did you mean": the nearest of those that exist, if any is near. */

/** Longer names are compared by their beginning only. */
const COMPARED_LENGTH_MAX = 64;
/** More candidates than this are not looked at: a hint is not worth a pause. */
const CANDIDATES_MAX = 10_000;

/**
 * null when none is near: at most a third of the letters, and never more than four, may differ. Case, dots, dashes and
 * underscores count for little, a transposition as one step; of equals the first.
 */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  let nearest: string | null = null;
  const asked = folded(name);
  if (asked === "") return null;
  let least = Math.min(4, Math.floor(asked.length / 3)) + 1;
  for (const candidate of candidates.slice(0, CANDIDATES_MAX)) {
    const steps = distance(asked, folded(candidate), least);
    if (steps < least) {
      least = steps;
      nearest = candidate;
      if (steps === 0) break;
    }
  }
  return nearest;
}

function folded(name: string): string {
  return name
    .slice(0, COMPARED_LENGTH_MAX)
    .toLowerCase()
    .replace(/[._\s-]/gu, "");
}

/** Insertions, deletions, replacements and transpositions of neighbours; `limit` or more is not told apart. */
function distance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) >= limit) return limit;
  let twoAbove: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const replaced = (above[column - 1] as number) + (left[row - 1] === right[column - 1] ? 0 : 1);
      let steps = Math.min(replaced, (above[column] as number) + 1, (current[column - 1] as number) + 1);
      if (row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]) {
        steps = Math.min(steps, (twoAbove[column - 2] as number) + 1);
      }
      current.push(steps);
    }
    twoAbove = above;
    above = current;
  }
  return above[right.length] as number;
}
