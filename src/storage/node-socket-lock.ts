/**
 * Locking on Linux without any program, for `lock: "socket"`: a directory of a name never used before, with a listening socket of
 * that name in it, is renamed to the lock's name. The rename succeeds only where nothing or an empty directory stands there, so it
 * is the taking of the lock; the socket tells whether its owner lives. Every process that opens the directory must use this way.
 */
import { closeSync, constants, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import type { LockHolder } from "../api/storage-driver.ts";
import { StorageError } from "../base/errors.ts";
import { errnoOf } from "./errno.ts";
import { HOLDER_BYTES_MAX, holderLine, parseHolder } from "./lock-holder.ts";
import { LOCK_NAME, type LockAttempt } from "./node-lock-file.ts";

/** A live owner that is stopped or busy does not answer: that is an answer too, after this long. */
const PROBE_TIMEOUT_MS = 300;
/** Each round someone else got ahead of us; so many rounds is no race any more. */
const ROUNDS_MAX = 64;
const PRIVATE_NAME = /^\.odradek-lock\.\d+-[0-9a-f]{16}$/;

type Probe = { readonly state: "dead" | "gone" } | { readonly state: "held"; readonly holder: unknown };

/** One attempt. */
export async function lockBySocket(directory: string, holder: LockHolder): Promise<LockAttempt> {
  const lockPath = join(directory, LOCK_NAME);
  // Loaded where they are needed, which is seldom: they take longer to load than this module.
  const { randomBytes } = await import("node:crypto");
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const name = `${LOCK_NAME}.${process.pid}-${randomBytes(8).toString("hex")}`;
    const claim = await makeClaim(directory, name, holder);
    if (claim === null) continue;
    let owner = false;
    try {
      const outcome = await takeName(directory, name, lockPath);
      if (outcome === "lost") continue;
      if (outcome !== "owner") return outcome;
      owner = true;
      await sweep(directory);
      return heldLock(lockPath, name, claim);
    } finally {
      if (!owner) await dropClaim(join(directory, name), name, claim);
    }
  }
  throw new StorageError("LOCK_UNAVAILABLE", `${lockPath}: the lock was taken and freed by others ${ROUNDS_MAX} times in a row`);
}

/** Renames the private directory to the lock's name, as soon as what stands there is nobody's. "lost": ours was swept away meanwhile. */
async function takeName(directory: string, name: string, lockPath: string): Promise<"owner" | "lost" | { readonly heldBy: unknown }> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    try {
      renameSync(join(directory, name), lockPath);
      // A sweeper that met our socket between its bind and its listen took it for dead, and may have removed it just before the
      // rename: then what we renamed is empty, and the next one's to take. Later it cannot: it knows the private path alone.
      return lstatSync(join(lockPath, name), { throwIfNoEntry: false }) === undefined ? "lost" : "owner";
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT") return "lost";
      if (errno === "ENOTDIR") {
        throw new StorageError(
          "LOCK_UNAVAILABLE",
          `${lockPath} is a file: this directory was last opened with lock: "auto", and all who open it must use the same. Remove the file when no process has it open`,
          { cause: error },
        );
      }
      if (errno !== "ENOTEMPTY" && errno !== "EEXIST") throw error;
    }
    const held = await clearDeadOwner(lockPath);
    if (held !== null) return held;
  }
  return { heldBy: null };
}

/** Removes a dead owner's socket; answers the live one. */
async function clearDeadOwner(lockPath: string): Promise<{ readonly heldBy: unknown } | null> {
  let entries: string[];
  try {
    entries = readdirSync(lockPath);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
  for (const entry of entries) {
    const path = join(lockPath, entry);
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined) continue;
    // A refused connection to something that is no socket of ours says nothing about any owner.
    if (!PRIVATE_NAME.test(entry) || !facts.isSocket()) {
      throw new StorageError(
        "LOCK_UNAVAILABLE",
        `${path} does not belong there: expected only sockets that Odradek made, found a file of another kind`,
      );
    }
    const probe = await probeSocket(lockPath, entry);
    if (probe.state === "held") return { heldBy: probe.holder };
    // Its name is never used again, so however late this comes it removes that dead socket and no other.
    if (probe.state === "dead") unlinkIfThere(path);
  }
  return null;
}

interface Claim {
  readonly server: Server;
}

/** Listening comes before being seen: whoever finds the socket may conclude from it. Null when the directory was swept away. */
async function makeClaim(directory: string, name: string, holder: LockHolder): Promise<Claim | null> {
  const path = join(directory, name);
  const { createServer } = await import("node:net");
  mkdirSync(path, 0o700);
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end(holderLine(holder));
  });
  try {
    await atShortPath(path, name, async (short) => {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ path: short, exclusive: true }, resolve);
      });
    });
  } catch (error) {
    rmdirIfEmpty(path);
    // Swept away before there was a socket in it.
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
  server.on("error", () => {});
  server.unref();
  return { server };
}

async function dropClaim(path: string, name: string, claim: Claim): Promise<void> {
  try {
    unlinkIfThere(join(path, name));
    rmdirIfEmpty(path);
  } finally {
    await closed(claim.server);
  }
}

function heldLock(lockPath: string, name: string, claim: Claim): LockAttempt {
  const path = join(lockPath, name);
  let open = true;
  return {
    stillHeld: () => open && lstatSync(path, { throwIfNoEntry: false }) !== undefined,
    async release() {
      if (!open) return;
      open = false;
      try {
        unlinkIfThere(path);
        // Empty or absent is the same to the next one. Absent is kinder to Kafka, which wants no foreign directories here.
        rmdirIfEmpty(lockPath);
      } finally {
        // A name that stays behind is a dead owner's once nobody listens: the next one clears it away.
        await closed(claim.server);
      }
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Private directories whose makers died before they could rename or remove them. */
async function sweep(directory: string): Promise<void> {
  try {
    for (const name of readdirSync(directory)) if (PRIVATE_NAME.test(name)) await sweepOne(join(directory, name), name).catch(() => {});
  } catch {
    // As below: and the lock is ours by now, for its owner to keep.
    return;
  }
}

/** Rejects where it is someone else's to sweep, or swept already: an owner needs none of these gone. */
async function sweepOne(path: string, name: string): Promise<void> {
  const probe = await probeSocket(path, name);
  if (probe.state === "held") return;
  if (probe.state === "dead") unlinkIfThere(join(path, name));
  // A maker between its mkdir and its listening loses the empty directory, and makes another.
  rmdirIfEmpty(path);
}

/** Whether someone listens. Only a refusal is death; whatever is not understood counts as life. */
async function probeSocket(parent: string, name: string): Promise<Probe> {
  try {
    return await atShortPath(parent, name, async (short) => {
      const probe = await probeByConnecting(short);
      // Bun says "refused" when the owner's queue is merely full, which a stopped owner's is: asked in another way it tells the two apart.
      return probe.state === "dead" && "Bun" in globalThis ? confirmInBun(short) : probe;
    });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { state: "gone" };
    throw error;
  }
}

async function probeByConnecting(path: string): Promise<Probe> {
  const { connect } = await import("node:net");
  return await new Promise((resolve) => {
    let text = "";
    const socket = connect({ path });
    const finish = (probe: Probe): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probe);
    };
    const timer = setTimeout(() => finish({ state: "held", holder: null }), PROBE_TIMEOUT_MS);
    socket.on("data", (bytes) => {
      text += bytes.toString("utf8");
      if (text.includes("\n") || text.length > HOLDER_BYTES_MAX) finish({ state: "held", holder: parseHolder(text) });
    });
    socket.on("close", () => finish({ state: "held", holder: parseHolder(text) }));
    socket.on("error", (error) => {
      const errno = errnoOf(error);
      finish(errno === "ECONNREFUSED" ? { state: "dead" } : errno === "ENOENT" ? { state: "gone" } : { state: "held", holder: null });
    });
  });
}

async function confirmInBun(path: string): Promise<Probe> {
  try {
    await fetch("http://odradek/", { unix: path, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) } as RequestInit);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "ConnectionRefused" || code === "ECONNREFUSED") return { state: "dead" };
  }
  return { state: "held", holder: null };
}

/** A socket's path may be 107 bytes at most (some runtimes cut longer ones silently); through the directory's descriptor every path is short. */
async function atShortPath<T>(directory: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return await use(`/proc/self/fd/${fd}/${name}`);
  } finally {
    closeSync(fd);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function rmdirIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOENT" && errno !== "ENOTEMPTY" && errno !== "EEXIST") throw error;
  }
}
