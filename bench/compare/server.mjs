/** A server that a peer needs: started for one store on a free port of loopback, gone with it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const START_MS_MAX = 15_000;

/** The program's path, or null: where it is not installed its peer is left out. */
export function programOnPath(program) {
  const { status, stdout } = spawnSync("sh", ["-c", `command -v ${program} || ls /usr/sbin/${program}`], { encoding: "utf8" });
  return status === 0 ? stdout.trim().split("\n")[0] : null;
}

export async function freePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves when something listens on `port`. `stop` asks it to end and waits. */
export async function startServer(program, args, port) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (printed = (printed + piece).slice(-4000)));
  const until = performance.now() + START_MS_MAX;
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`${program} ${args.join(" ")} did not start: ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    pid: child.pid,
    anonymousMiB: () => anonymousMiB(child.pid),
    async stop() {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

export function anonymousMiB(pid) {
  const [, kibibytes] = /^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kibibytes) / 1024;
}

export function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
