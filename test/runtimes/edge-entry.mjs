/** In Vercel's edge runtime: a fetch handler, as their functions are. */
import { runSuite } from "./isolate.mjs";

addEventListener("fetch", (event) => {
  event.respondWith(runSuite().then((outcome) => new Response(JSON.stringify(outcome))));
});
