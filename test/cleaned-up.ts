/** Before every test file: what its tests make is put away behind each of them. */
import { afterEach } from "vitest";
import { cleanUp } from "./cleanups.ts";

afterEach(cleanUp);
