/** Compression for tests that wire their own parts: the codecs of Node over a core. */
import type { Compression } from "../../src/compression/compression.ts";
import { createCompression } from "../../src/compression/create-compression.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import type { Core } from "../../src/core/core.ts";

export function compressionOf(core: Core): Compression {
  return createCompression(core, nodeCodecs());
}
