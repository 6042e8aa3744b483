/** In Vercel's edge runtime, bundled as for a browser: the core comes as bytes, which are not compiled there. */
import { memory, open } from "odradek";

addEventListener("fetch", (event) => {
  const told = open({ storage: memory() }).then(
    () => "it was not refused",
    (error) => `${error.code} ${error.message}`,
  );
  event.respondWith(told.then((text) => new Response(text)));
});
