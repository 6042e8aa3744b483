/** The whole engine on what every runtime has: what a page loads as it first opens a log of its own. */

import { openOn } from "./open.ts";
import type { Open } from "./open-face.ts";
import { portablePlatform } from "./portable.ts";

export const openPortable: Open = /* @__PURE__ */ openOn(/* @__PURE__ */ portablePlatform(undefined));
