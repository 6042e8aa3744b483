/** Balance where members subscribe to different topics, so that not every partition may go to everyone. */
import { LoadHeap } from "./load-heap.ts";
import { NOBODY, type TopicOwners } from "./partition-claims.ts";

/**
 * Gives every partition without an owner to its least loaded subscriber, topics with the fewest subscribers first, then moves
 * partitions until none can go to a subscriber that has two fewer than its owner. Changes `topics` in place.
 */
export function levelUnequal(topics: readonly TopicOwners[], topicsOf: readonly ReadonlySet<string>[]): void {
  const load = new Int32Array(topicsOf.length);
  for (const { ownerOf } of topics) for (const member of ownerOf) if (member !== NOBODY) load[member] = (load[member] as number) + 1;

  const levels = topics.map(({ topic, ownerOf }) => {
    const subscribers: number[] = [];
    for (const [member, subscribed] of topicsOf.entries()) if (subscribed.has(topic)) subscribers.push(member);
    return { ownerOf, subscribers };
  });
  levels.sort((a, b) => a.subscribers.length - b.subscribers.length);
  for (const { ownerOf, subscribers } of levels) dealUnowned(ownerOf, subscribers, load);
  // Ends: each move makes the sum of the squares of the loads smaller.
  for (let moved = true; moved; ) {
    moved = false;
    for (const { ownerOf, subscribers } of levels) if (levelTopic(ownerOf, subscribers, load)) moved = true;
  }
}

function dealUnowned(ownerOf: Int32Array, subscribers: readonly number[], load: Int32Array): void {
  const poorest = new LoadHeap(load, "least");
  for (const member of subscribers) poorest.put(member);
  for (const [partition, owner] of ownerOf.entries()) {
    if (owner !== NOBODY) continue;
    // A topic without subscribers is none here.
    const member = poorest.take() as number;
    ownerOf[partition] = member;
    load[member] = (load[member] as number) + 1;
    poorest.put(member);
  }
}

/** Whether it moved anything. */
function levelTopic(ownerOf: Int32Array, subscribers: readonly number[], load: Int32Array): boolean {
  const partitionsOf = new Map<number, number[]>();
  for (const [partition, owner] of ownerOf.entries()) {
    const held = partitionsOf.get(owner);
    if (held === undefined) partitionsOf.set(owner, [partition]);
    else held.push(partition);
  }
  const richest = new LoadHeap(load, "most");
  const poorest = new LoadHeap(load, "least");
  for (const member of partitionsOf.keys()) richest.put(member);
  for (const member of subscribers) poorest.put(member);
  for (let moved = false; ; moved = true) {
    const giver = richest.take();
    const taker = poorest.take();
    if (giver === null || taker === null || (load[giver] as number) < (load[taker] as number) + 2) return moved;
    // Who stands among the owners owns something.
    const held = partitionsOf.get(giver) as number[];
    const partition = held.pop() as number;
    ownerOf[partition] = taker;
    load[giver] = (load[giver] as number) - 1;
    load[taker] = (load[taker] as number) + 1;
    // A taker need not become a giver here: it has at most one less than the member it took from, and that gave first.
    if (held.length > 0) richest.put(giver);
    poorest.put(giver);
    poorest.put(taker);
  }
}
