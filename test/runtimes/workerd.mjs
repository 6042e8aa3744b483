/** Serves the suite with workerd on a port of its choice, asks for it once, and prints the answer. */
import { spawn } from "node:child_process";

const [program, config] = process.argv.slice(2);
const child = spawn(program, ["serve", "--control-fd=3", config], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
try {
  const port = await new Promise((resolve, reject) => {
    let said = "";
    child.stdio[3].on("data", (piece) => {
      said += piece;
      const found = /"port":\s*(\d+)/.exec(said);
      if (found !== null) resolve(Number(found[1]));
    });
    child.on("exit", (code) => reject(new Error(`workerd ended with ${code} before it listened`)));
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  console.log(await response.text());
} finally {
  child.kill();
}
