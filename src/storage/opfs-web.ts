/** As much of the browser's file system and locks as the driver uses, typed here: the package needs no DOM library, and a test can bring its own. */

export interface WebSyncHandle {
  read(into: Uint8Array, options: { readonly at: number }): number;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  truncate(byteLength: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

export interface WebFile {
  readonly kind: "file";
  readonly name: string;
  /** In dedicated workers alone. */
  createSyncAccessHandle?(): Promise<WebSyncHandle>;
  getFile(): Promise<{ readonly lastModified: number }>;
}

export interface WebDirectory {
  readonly kind: "directory";
  readonly name: string;
  getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<WebFile>;
  getDirectoryHandle(name: string, options?: { readonly create?: boolean }): Promise<WebDirectory>;
  removeEntry(name: string, options?: { readonly recursive?: boolean }): Promise<void>;
  values(): AsyncIterable<WebFile | WebDirectory>;
}

export interface WebLocks {
  request<T>(
    name: string,
    options: { readonly mode?: "exclusive" | "shared"; readonly ifAvailable?: boolean; readonly signal?: AbortSignal },
    held: (lock: object | null) => Promise<T>,
  ): Promise<T>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

/** What of the global scope is looked at; any of it may be missing. */
export interface WebScope {
  readonly isSecureContext?: boolean;
  readonly document?: object;
  readonly navigator?: {
    readonly storage?: {
      getDirectory?(): Promise<WebDirectory>;
      persist?(): Promise<boolean>;
      persisted?(): Promise<boolean>;
      estimate?(): Promise<{ readonly usage?: number; readonly quota?: number }>;
    };
    readonly locks?: WebLocks;
  };
}

export function webScope(): WebScope {
  return globalThis as unknown as WebScope;
}
