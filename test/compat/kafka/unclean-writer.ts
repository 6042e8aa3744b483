/** A process of its own that writes until it is killed, and what it was told before. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("unclean-writer.mjs", import.meta.url));

/** Sends to the topic until so many bytes of acknowledgements were said, then SIGKILL. Answers `partition offset` of each. */
export async function writeAndDie(
  directory: string,
  topic: string,
  partitionCount: number,
  round: number,
  saidByteLength = 8000,
): Promise<string[]> {
  const writer = spawn(process.execPath, [script, directory, topic, String(partitionCount), String(round)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let errors = "";
  writer.stdout.on("data", (piece: Buffer) => {
    said += piece.toString();
    if (said.length > saidByteLength) writer.kill("SIGKILL");
  });
  writer.stderr.on("data", (piece: Buffer) => {
    errors += piece.toString();
  });
  await once(writer, "close");
  if (errors !== "") throw new Error(errors);
  const whole = said.slice(0, said.lastIndexOf("\n"));
  return whole.split("\n").map((line) => line.slice(topic.length + 1));
}
