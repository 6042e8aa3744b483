/** In workerd: a module worker. */
import { runSuite } from "./isolate.mjs";

export default {
  async fetch() {
    return new Response(JSON.stringify(await runSuite()));
  },
};
