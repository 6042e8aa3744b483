/** The program that becomes a bundle for Node: `node BUNDLE DIRECTORY`. Prints its answer in one line, and must end by itself. */
import * as odradek from "odradek";
import { story } from "./story.mjs";

const directory = process.argv[2];
// Not awaited at the top: a bundle in CommonJS could not.
void story(odradek, () => odradek.open(directory)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
