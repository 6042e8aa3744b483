/**
 * The program under test: an invoice for each order. It knows a Kafka client by what it uses of one, as kafkajs has it, and nothing of tests.
 * In production: `invoicing(new Kafka({ brokers }))`.
 */
export async function invoicing(kafka) {
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: "invoicing" });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: ["orders"], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const { lines } = JSON.parse(message.value.toString());
      const cents = lines.reduce((sum, { count, cents }) => sum + count * cents, 0);
      // A redelivered order gives the same number, so whoever pays invoices sees that it is the same one.
      const number = `${topic}-${partition}-${message.offset}`;
      await producer.send({
        topic: "invoices",
        messages: [{ key: message.key, value: JSON.stringify({ number, cents }), headers: { source: "invoicing" } }],
      });
    },
  });
  return async () => {
    await consumer.disconnect();
    await producer.disconnect();
  };
}
