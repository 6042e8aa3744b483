/** How many times better ours is than each peer, and beside which of them an aim is hardest. Pure: a comparison's results in, facts out. */

/** What takes part in a comparison and is no rival: the system alone, and the format alone. */
export const LIMIT_PEERS = ["raw file", "bare loop"];

export function isRival({ peer }) {
  return peer !== "odradek" && !LIMIT_PEERS.includes(peer);
}

/** What does not flush has no figure where it must be durable. */
export function isFair({ verified }) {
  return typeof verified !== "object" || verified.isDurable;
}

/**
 * One for each measure that has an aim and a figure of ours. `reached` and `asked`: how many times better than `beside`, or which
 * share of it where that is the raw file.
 * @returns {{ measure: string, ours: object, beside: { peer: string, value: number }, isOfRaw: boolean, reached: number, asked: number }[]}
 */
export function aimsOf(results) {
  const measures = new Set(
    results.filter(({ aim, aimOfRaw }) => aim !== undefined || aimOfRaw !== undefined).map(({ measure }) => measure),
  );
  return [...measures].flatMap((measure) => {
    const ofMeasure = results.filter((result) => result.measure === measure);
    const ours = ofMeasure.find(({ peer }) => peer === "odradek");
    if (ours === undefined) return [];
    if (ours.aimOfRaw !== undefined) {
      const beside = { peer: "raw file", value: ours.rawLimit };
      return [{ measure, ours, beside, isOfRaw: true, reached: ours.ratio, asked: ours.aimOfRaw }];
    }
    const needed = (rival) => rival.aimBeside?.[rival.peer] ?? rival.aim;
    const rivals = ofMeasure.filter((result) => isRival(result) && isFair(result));
    const [beside] = rivals.sort((a, b) => a.oursIsTimes / needed(a) - b.oursIsTimes / needed(b));
    if (beside === undefined) return [];
    return [{ measure, ours, beside, isOfRaw: false, reached: beside.oursIsTimes, asked: needed(beside) }];
  });
}
