/** A window: keeps what is typed, and shows what any window kept. */
import { attachPort, json } from "odradek";

const port = await new Promise((resolve) => {
  addEventListener("message", ({ data, ports: [given] }) => data === "log" && resolve(given));
});
const log = await attachPort(port);
const producer = log.producer({ value: json() });

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { note } = event.target.elements;
  const { durability } = await producer.send({ topic: "notes", value: { text: note.value, at: Date.now() } });
  document.title = `Notes, kept: outlives ${durability}`;
  note.value = "";
});

const consumer = log.consumer({ value: json() });
await consumer.assign([{ topic: "notes", partition: 0 }]);
// One fetch ahead, and nothing more while the page is busy: a slow window does not fill the main process.
for await (const { value } of consumer.records()) {
  const item = document.createElement("li");
  item.textContent = value.text;
  document.querySelector("ul").append(item);
}
