/**
 * Whether a cost grows with what it should not grow with. Pure: it looks at measured points and answers in words.
 * A cost that should be constant is judged as it is, one that should be linear for each unit of what grows. Where a raw loop of the same
 * bytes stood beside a point, the cost is judged in multiples of it: then a slow hour of the machine is no growth.
 */

/** Twice is a wall. A machine that others use too wavers by less, from median to median. */
export const WALL_FACTOR = 2;
/** Over three decades this much makes the factor of two: 1000 ** 0.1. */
export const EXPONENT_MAX = 0.1;

/**
 * @param {"constant" | "linear"} expected
 * @param {readonly { x: number, value: number, rawLimit: number | null }[]} points in rising order of x; `value` is a cost: less is better
 * @returns {{ verdict: "constant" | "linear" | "grows" | "worse than linear", exponent: number, wall: { x: number, factor: number } | null }}
 *   `exponent`: how the judged cost grows, 0 for not at all. `wall`: the first point from which on it stands at twice the least before it.
 */
export function judge(expected, points) {
  const costs = points.map(({ x, value, rawLimit }) => ({
    x,
    cost: rawLimit !== null ? value / rawLimit : value / (expected === "linear" ? x : 1),
  }));
  const exponent = slope(costs);
  const wall = firstWall(costs);
  const isGrowing = wall !== null && exponent > EXPONENT_MAX;
  const worse = expected === "constant" ? "grows" : "worse than linear";
  return { verdict: isGrowing ? worse : expected, exponent, wall: isGrowing ? wall : null };
}

/** The first point beyond which every cost, its own included, is at least twice the least seen before it. */
function firstWall(costs) {
  for (let at = 1; at < costs.length; at += 1) {
    const least = Math.min(...costs.slice(0, at).map(({ cost }) => cost));
    if (costs.slice(at).every(({ cost }) => cost >= WALL_FACTOR * least)) return { x: costs[at].x, factor: costs[at].cost / least };
  }
  return null;
}

/** Of the straight line through the points on logarithmic paper, by least squares, from the cheapest point on: before it, cost only falls. */
function slope(costs) {
  const cheapest = costs.reduce((best, { cost }, at) => (cost < costs[best].cost ? at : best), 0);
  const rising = costs.slice(Math.min(cheapest, costs.length - 2)).map(({ x, cost }) => [Math.log(x), Math.log(cost)]);
  if (rising.length < 2) return 0;
  const meanX = rising.reduce((sum, [x]) => sum + x, 0) / rising.length;
  const meanY = rising.reduce((sum, [, y]) => sum + y, 0) / rising.length;
  const covariance = rising.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / rising.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
