/** A whole random program: what it begins with, and how it is run. */
import fc from "fast-check";
import { type Command, commands } from "./face-commands.ts";
import { FaceRun } from "./face-run.ts";

const BEGINNING: readonly Command[] = [
  { do: "create", topic: 0, partitions: 2, codec: 0 },
  { do: "create", topic: 2, partitions: 1, codec: 0 },
];

export const programs: fc.Arbitrary<Command[]> = fc.array(commands, { minLength: 150, maxLength: 400, size: "max" });

/** `onCommand` hears of each when it has run and its answer was the model's. */
export async function runProgram(program: readonly Command[], onCommand: (command: Command) => void): Promise<void> {
  const run = new FaceRun();
  await run.open();
  for (const command of [...BEGINNING, ...program]) {
    await run.step(command);
    onCommand(command);
  }
  await run.log.close();
}
