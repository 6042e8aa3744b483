/**
 * How processes of one user find each other by a data directory: a local socket (a named pipe on Windows), and a file in the directory that
 * says where it is and what must be known to be let in. Whoever can read that file (mode 0600) may come; nothing else is relied on.
 */
import { constants } from "node:fs";
import { chmod, type FileHandle, mkdtemp, open, realpath, rm, rmdir, stat, unlink } from "node:fs/promises";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { StorageError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { Channel, ChannelListener } from "./channel.ts";
import { FRAME_BYTE_LENGTH_MAX, FrameCutter } from "./frame.ts";
import { ExitRemovals } from "./node-exit-removals.ts";

/** Beside the lock's file. Left behind by a process that was killed; the next owner writes it anew. */
export const ADDRESS_FILE = ".odradek-attach";
const ADDRESS_BYTES_MAX = 4096;
const CONNECT_MS = 2000;
const CLOSE_MS = 1000;
const SOCKET_NAME = "socket";
const DIRECTORY_PREFIX = "odradek-attach-";
/** Of a socket's address, macOS being the narrowest. Longer ones some runtimes cut short without a word, and listen elsewhere. */
const ADDRESS_BYTE_LENGTH_MAX = 103;
/** At a time; who comes beyond that is hung up on. */
const CONNECTIONS_MAX = 1024;

/** Folders of sockets that a process which ends without `close` would leave; a killed one leaves its own all the same. */
const removedAtExit: ExitRemovals = new ExitRemovals();

interface Address {
  /** Of the socket or pipe. */
  readonly address: string;
  readonly key: string;
  /** Of the file itself: in a copied directory it leads nowhere. */
  readonly inode: string;
}

export function absolutePath(path: string | URL): string {
  return path instanceof URL ? fileURLToPath(path) : resolve(path);
}

/**
 * Listens for the owner of the directory; answers how to stop. Only who has the lock may call this. Rejects with a `StorageError`
 * `PERMISSION_DENIED` that says what to allow, or with what else kept it from listening.
 */
export async function listenAt(path: string | URL, accept: (channel: Channel) => void): Promise<() => Promise<void>> {
  const file = join(await realpath(absolutePath(path)), ADDRESS_FILE);
  await removeDead(await readAddress(file).catch(() => null));
  try {
    return await listenBeside(file, accept);
  } catch (error) {
    throw isDenied(error) ? mayNotListen(error) : error;
  }
}

async function listenBeside(file: string, accept: (channel: Channel) => void): Promise<() => Promise<void>> {
  // Loaded where they are needed: they are a tenth of what the package takes to load.
  const [{ randomBytes }, { createServer }] = await Promise.all([import("node:crypto"), import("node:net")]);
  const key = randomBytes(16).toString("hex");
  const isWindows = process.platform === "win32";
  // Made with mode 0700, and the socket in it: no other user gets as far as to connect.
  const folder = isWindows ? null : await mkdtemp(join(socketParent(), DIRECTORY_PREFIX));
  const address = folder === null ? `\\\\.\\pipe\\${DIRECTORY_PREFIX}${randomBytes(16).toString("hex")}` : join(folder, SOCKET_NAME);
  const server = createServer((socket) => accept(new SocketChannel(socket, key)));
  server.maxConnections = CONNECTIONS_MAX;
  try {
    await listening(server, address);
    if (folder !== null) await chmod(address, 0o600);
    await writeAddress(file, address, key);
  } catch (error) {
    await stopped(server, folder);
    throw error;
  }
  if (folder !== null) removedAtExit.add(folder);
  return async () => {
    await rm(file, { force: true });
    await stopped(server, folder);
  };
}

/** null: nobody listens there. Rejects with a `StorageError` `PERMISSION_DENIED` where the system does not let us look. */
export async function reachAt(path: string | URL): Promise<Channel | null> {
  const directory = absolutePath(path);
  const found = await realpath(directory)
    .then((real) => readAddress(join(real, ADDRESS_FILE)))
    .catch((error: unknown) => {
      if (isDenied(error)) throw mayNotReach(directory, error);
      return null;
    });
  if (found === null) return null;
  const { address, key } = found;
  const { createConnection } = await import("node:net");
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown): void => {
      socket?.destroy();
      if (isDenied(error)) reject(mayNotReach(directory, error));
      else resolve(null);
    };
    let socket: Socket | undefined;
    try {
      socket = createConnection(address);
    } catch (error) {
      // Deno's way to say that it is not allowed.
      fail(error);
      return;
    }
    const connected = socket;
    const timer = setTimeout(fail, CONNECT_MS);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      connected.off("error", fail);
      resolve(new SocketChannel(connected, key));
    });
    socket.once("close", () => clearTimeout(timer));
  });
}

function listening(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path: address, exclusive: true }, () => {
      server.off("error", reject);
      // What goes wrong with one that comes is told on its own socket.
      server.on("error", () => {});
      resolve();
    });
    server.unref();
  });
}

/** Those that came stay; their sessions are closed by whoever serves them. */
async function stopped(server: Server, folder: string | null): Promise<void> {
  server.close();
  if (folder === null) return;
  await rm(folder, { recursive: true, force: true });
  removedAtExit.delete(folder);
}

async function writeAddress(file: string, address: string, key: string): Promise<void> {
  await rm(file, { force: true });
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const { ino } = await handle.stat({ bigint: true });
    await handle.write(`${JSON.stringify({ address, key, inode: String(ino) })}\n`);
  } finally {
    await handle.close();
  }
}

/** null: there is none, it is half written, belongs to another directory, or is not ours. Rejects where it may not be read. */
async function readAddress(file: string): Promise<Address | null> {
  let handle: FileHandle | null = null;
  try {
    // Windows has neither of the last two, and what is not there counts as 0.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const facts = await handle.stat({ bigint: true });
    if (!facts.isFile() || facts.size > ADDRESS_BYTES_MAX || !isOurs(Number(facts.mode))) return null;
    const { address, key, inode } = JSON.parse(await handle.readFile("utf8")) as Partial<Address>;
    if (typeof address !== "string" || typeof key !== "string" || inode !== String(facts.ino)) return null;
    return { address, key, inode };
  } catch (error) {
    if (isDenied(error)) throw error;
    return null;
  } finally {
    await handle?.close();
  }
}

/**
 * In a directory that others may write to, one of them could lead us to a socket of his own. What is for its owner alone, and we may read, is ours;
 * root may go where he likes.
 */
function isOurs(mode: number): boolean {
  return process.platform === "win32" || (mode & 0o077) === 0;
}

/** The system's temporary directory, where a socket in a directory of ours finds room in an address. */
function socketParent(): string {
  const room = ADDRESS_BYTE_LENGTH_MAX - Buffer.byteLength(join(DIRECTORY_PREFIX, "123456", SOCKET_NAME)) - 1;
  return [tmpdir(), "/tmp"].find((folder) => Buffer.byteLength(folder) <= room) as string;
}

/** By the file system, or by the permission model of the runtime. */
function isDenied(error: unknown): boolean {
  const { code, name } = Object(error) as { readonly code?: unknown; readonly name?: unknown };
  return /^(EACCES|EPERM|ERR_ACCESS_DENIED)$/.test(String(code)) || name === "NotCapable";
}

function mayNotListen(cause: unknown): StorageError {
  return new StorageError(
    "PERMISSION_DENIED",
    `others cannot attach to this log, since this process may not listen (${reasonOf(cause)}). It takes writing to ${join(socketParent(), `${DIRECTORY_PREFIX}*`)}: ` +
      "under Node's permission model --allow-fs-write for that, and --allow-net where that exists (Deno: -A). With attach: false it is not tried",
    { cause },
  );
}

function mayNotReach(directory: string, cause: unknown): StorageError {
  return new StorageError(
    "PERMISSION_DENIED",
    `${directory}: this process may not reach the one that has the log (${reasonOf(cause)}). It takes reading ${ADDRESS_FILE} there, which is its owner's alone, and connecting to a socket: ` +
      "under Node's permission model --allow-fs-read of the directory, and --allow-net where that exists (Deno: --allow-read and --allow-write of directory and socket, --allow-net)",
    { cause },
  );
}

/** What a killed owner left in the system's temporary directory. The lock is ours: nobody listens there. */
async function removeDead(left: Address | null): Promise<void> {
  const folder = left === null ? "" : dirname(left.address);
  if (left === null || basename(left.address) !== SOCKET_NAME || !basename(folder).startsWith(DIRECTORY_PREFIX)) return;
  try {
    if ((await stat(left.address)).isSocket()) await unlink(left.address);
    await rmdir(folder);
  } catch {
    // Gone already, or not ours to remove.
  }
}

class SocketChannel implements Channel {
  readonly key: string;
  readonly isTrusted = true;
  readonly #socket: Socket;
  readonly #cutter: FrameCutter;
  #listener: ChannelListener | null = null;
  #error: unknown = null;
  #isCorked = false;
  #closing: Promise<void> | null = null;

  constructor(socket: Socket, key: string) {
    this.key = key;
    this.#socket = socket;
    this.#cutter = new FrameCutter((frame) => this.#listener?.frame(frame));
    socket.on("error", (error) => {
      this.#error = error;
    });
  }

  get unsentByteLength(): number {
    return this.#socket.writableLength;
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
    const socket = this.#socket;
    socket.on("data", (piece: Buffer<ArrayBuffer>) => {
      try {
        this.#cutter.push(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
      } catch (error) {
        this.#error ??= error;
        socket.destroy();
      }
    });
    socket.on("drain", () => listener.drained());
    socket.on("close", () => listener.ended(this.#error));
    if (socket.destroyed) listener.ended(this.#error);
  }

  send(parts: readonly Uint8Array[]): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    // What is sent in one turn goes in one call of the system.
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      queueMicrotask(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    for (const part of parts) if (part.byteLength > 0) socket.write(part);
  }

  trust(): void {
    this.#cutter.byteLengthMax = FRAME_BYTE_LENGTH_MAX;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  keepAlive(alive: boolean): void {
    if (alive) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #close(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
      socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      socket.ref();
      socket.resume();
      socket.end(() => socket.destroy());
    });
  }
}
