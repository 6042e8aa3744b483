/**
 * One of several processes that share a directory: `sharer.mjs DIRECTORY NAME [OPTIONS]`. Opens it, sends one record after another to topic `t`, and
 * says on standard output, a line of JSON each, what was acknowledged and what happened to its owner. Ends in order when told on standard input.
 */
import { writeSync } from "node:fs";
import { open, utf8 } from "odradek";

const [directory, name, given = '{"attach":true}'] = process.argv.slice(2);
/** Beside the options of `open`, `idle`: sends nothing. */
const { idle = false, ...options } = JSON.parse(given);
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const told = (error) => ({ code: error.code ?? error.name, message: error.message, holder: error.holder ?? null });
const onEvent = ({ type, error }) => {
  if (/^(owner|attach)\./.test(type)) say({ event: type, atMs: Date.now(), ...(error === undefined ? {} : { error: told(error) }) });
};

let isOver = false;
try {
  const log = await open(directory, { ...options, onEvent });
  if (options.attach !== true) await log.createTopic("t", { ifNotExists: true });
  say({ open: name });
  process.stdin.once("data", () => {
    isOver = true;
  });
  const producer = log.producer({ value: utf8 });
  for (let count = 0; !isOver; count += 1) {
    if (idle) {
      await new Promise((wake) => setTimeout(wake, 20));
      continue;
    }
    const value = `${name}:${count}`;
    try {
      const { offset } = await producer.send({ topic: "t", value });
      say({ offset, value });
    } catch (error) {
      say({ refused: value, error: told(error) });
    }
    await new Promise((wake) => setTimeout(wake, 2));
  }
  await log.close();
  say({ closed: name });
} catch (error) {
  say({ error: told(error) });
}
// Deno waits for standard input to its end. That a closed log lets the process end is shown by attach-child.mjs.
process.exit(0);
