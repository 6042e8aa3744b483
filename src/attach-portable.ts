/** Producers, consumers and tables over a port on what every runtime has: what a page loads as it attaches to another one's log. */
import { attachPortOn } from "./attach-port.ts";
import type { AttachPort } from "./open-face.ts";
import { portablePlatform } from "./portable.ts";

export const attachPortable: AttachPort = /* @__PURE__ */ attachPortOn(/* @__PURE__ */ portablePlatform(undefined));
