/** A tab: keeps what is typed, and shows what any tab kept, now or last week. */
import { attachPort } from "odradek";
import { keepStorage } from "odradek/opfs";

const worker = new Worker(new URL("./log-worker.js", import.meta.url), { type: "module" });
await new Promise((opened) => worker.addEventListener("message", opened, { once: true }));
const { port1, port2 } = new MessageChannel();
worker.postMessage(null, [port2]);
const log = await attachPort(port1);
const { persisted } = await keepStorage();

await log.createTopic("notes", { ifNotExists: true });
const producer = log.producer();

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { note } = event.target.elements;
  await producer.send({ topic: "notes", value: { text: note.value, at: Date.now() } });
  document.title = persisted ? "Kept" : "Kept, until the browser is short of room";
  note.value = "";
});

const consumer = log.consumer();
await consumer.assign([{ topic: "notes", partition: 0 }]);
for await (const { value } of consumer) {
  const item = document.createElement("li");
  item.textContent = value.text;
  document.querySelector("ul").append(item);
}
