/** A disk of which one call does not return: nothing is refused, nothing is done, until somebody lets it go on. */
import { errnoError } from "../../../src/storage/errno.ts";
import { type CrashStorage, type CrashStorageOptions, crashStorage } from "../../../src/testing/crash-storage.ts";

export type HangingCall = Parameters<NonNullable<CrashStorageOptions["latency"]>>[0];

/** What hangs with it: where a flush does not return no other does, nor what changes a directory. Files are opened, read and closed as ever. */
const TOGETHER: Readonly<Record<HangingCall, readonly HangingCall[]>> = {
  sync: ["sync", "syncDirectory", "entry"],
  syncDirectory: ["sync", "syncDirectory", "entry"],
  entry: ["sync", "syncDirectory", "entry"],
  open: ["open"],
  close: ["close"],
};

export class HangingDisk {
  readonly storage: CrashStorage;
  #armed: { readonly call: HangingCall; left: number } | null = null;
  #hanging: {
    readonly calls: readonly HangingCall[];
    readonly end: Promise<string | null>;
    readonly letGo: (errno: string | null) => void;
  } | null = null;

  constructor(options: CrashStorageOptions = {}) {
    this.storage = crashStorage({ ...options, latency: (call) => this.#meet(call) });
  }

  /** The `nth` such call from now on hangs, and with it those that come while it does. */
  arm(call: HangingCall, nth: number): void {
    this.#armed = { call, left: nth };
  }

  /** A call has come, and does not return. */
  get hangs(): boolean {
    return this.#hanging !== null;
  }

  /** What hung goes on; or is refused, with all that stood behind it. Nothing hangs any more. */
  letGo(errno: string | null): void {
    this.#armed = null;
    this.#hanging?.letGo(errno);
    this.#hanging = null;
  }

  async #meet(call: HangingCall): Promise<void> {
    if (this.#armed?.call === call && --this.#armed.left === 0) {
      let letGo: (errno: string | null) => void = () => {};
      const end = new Promise<string | null>((resolve) => {
        letGo = resolve;
      });
      this.#hanging = { calls: TOGETHER[call], end, letGo };
    }
    if (this.#hanging?.calls.includes(call) !== true) return;
    const errno = await this.#hanging.end;
    if (errno !== null && call !== "close") throw errnoError(errno, call, "");
  }
}
