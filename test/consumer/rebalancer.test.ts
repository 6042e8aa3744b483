/** What a rebalance does to a consumer whose coordinator, or whose own state, is not what it was told. */
import { describe, expect, it } from "vitest";
import { GroupError, StorageError } from "../../src/base/errors.ts";
import { Assignment } from "../../src/consumer/assignment.ts";
import { Hand } from "../../src/consumer/hand.ts";
import { Rebalancer, type RebalancerParts } from "../../src/consumer/rebalancer.ts";

const orders = { topic: "orders", partition: 0 };
const people = { topic: "people", partition: 0 };

function world(commit: () => Promise<void> = async () => {}) {
  const said: string[] = [];
  const assignment = new Assignment();
  const interrupt = (): void => {};
  const rebalancer = new Rebalancer({
    assignment,
    hand: new Hand(),
    fetcher: { interrupt },
    reader: { interrupt },
    autoCommitter: { commitMovedPast: commit, report: () => said.push("commit.failed") },
    emit: (type: string) => said.push(type),
  } as unknown as RebalancerParts);
  rebalancer.listener = {
    onPartitionsRevoked: (partitions) => void said.push(`revoked ${partitions.map(({ topic }) => topic)}`),
    onPartitionsLost: (partitions) => void said.push(`lost ${partitions.map(({ topic }) => topic)}`),
  };
  assignment.add([orders]);
  return { assignment, rebalancer, said };
}

describe("a member", () => {
  it("whose last commit says that it is one no more tells nobody that its partitions were given up in order", async () => {
    const lost = new GroupError("ILLEGAL_GENERATION", "a generation began without it");
    const { assignment, rebalancer, said } = world(() => Promise.reject(lost));
    await expect(rebalancer.revoke([orders])).rejects.toBe(lost);
    expect(said).toEqual([]);
    expect(assignment.partitions()).toEqual([orders]);
    await rebalancer.lose([orders]);
    expect(said).toEqual(["lost orders"]);
    expect(assignment.partitions()).toEqual([]);
  });

  it("whose last commit fails otherwise reports it, and gives its partitions up", async () => {
    const { assignment, rebalancer, said } = world(() => Promise.reject(new StorageError("STORAGE_FULL", "no room")));
    await rebalancer.revoke([orders]);
    expect(said).toEqual(["commit.failed", "revoked orders"]);
    expect(assignment.partitions()).toEqual([]);
  });

  it("that had nothing hears of no loss", async () => {
    const { rebalancer, said } = world();
    await rebalancer.lose([]);
    expect(said).toEqual([]);
  });

  it("keeps what it has when it loses what it had no more", async () => {
    const { assignment, rebalancer, said } = world();
    await rebalancer.lose([people]);
    expect(said).toEqual(["lost people"]);
    expect(assignment.partitions()).toEqual([orders]);
  });
});
